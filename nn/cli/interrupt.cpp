#include "interrupt.hpp"

#include <unistd.h>

#include <csignal>

namespace clmx::cli {
namespace {

volatile std::sig_atomic_t caught = 0;  // the first signal

extern "C" void on_interrupt(int signal) {
  if (caught != 0) _exit(128 + signal);
  caught = signal;
}

void watch(int signal) {
  struct sigaction action = {}, before = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(signal, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);  // nohup stays in force
}

}  // namespace

void watch_interrupts() {
  watch(SIGINT);
}

void watch_terminations() {
  watch(SIGTERM);
  watch(SIGHUP);
}

bool interrupted() {
  return caught != 0;
}

int interrupted_status() {
  return 128 + caught;
}

}  // namespace clmx::cli
