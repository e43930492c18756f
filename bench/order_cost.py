#!/usr/bin/env python3
"""What the canonical order of sums costs: clmx's kernels against the same kernels freed of it.

usage: order_cost.py BUILD [--rounds N] [--json FILE]
BUILD: a build folder with model_bench, products_bench and clmx. CLMX_DEVICE and CLMX_MODEL as for these.

Each free form is a copy of cl/ with changes, given by CLMX_KERNEL_DIR:
  running      blocks of 256 are added as they come, without the tree
  unblocked    neither blocks nor tree: one chain over the groups of a row
  interleaved  unblocked, and in decode two chains per row that take turns in a group
Attention keeps its blocks of 64 keys, which its memory needs, in the running form. Every form first has to pass
`clmx compare` within its budgets: it does the same work. Then all forms run in turns; what is printed is the median
over rounds of the canonical time over the free one's, of the fastest free form the largest of them. 1.05 is what the
order may cost.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

KERNELS = pathlib.Path(__file__).resolve().parent.parent / "cl"
PRODUCTS = "smollm2_token|4096x4096/m1/cold|4096x4096/m(8|32|128)/hot|(960|3072|576)x(576|1536)/m128/hot"


def replaced(folder, name, changes):
    """The file with every text replaced; one that is not there is an error: the kernels have changed."""
    path = folder / name
    text = path.read_text()
    for old, new in changes:
        if old not in text:
            sys.exit(f"order_cost: {name} has no '{old}': adapt this program to the kernel")
        text = text.replace(old, new)
    path.write_text(text)


def running(folder):
    replaced(folder, "common/tree.clh", [("  long lo = 0, hi = n;", "  return i > 0 ? 1 : 0;\n  long lo = 0, hi = n;")])


def unblocked(folder):
    running(folder)
    for name in ("qmv.cl", "qmm.cl"):
        replaced(folder, name, [("const int blocks = (width + BLOCK - 1) / BLOCK;", "const int blocks = 1;"),
                                ("min(GROUPS_PER_BLOCK, groups - first)", "groups"),
                                ("block * GROUPS_PER_BLOCK", "0")])


def interleaved(folder):
    unblocked(folder)
    replaced(folder, "qmv.cl", [("u[CHAINS], a[CHAINS];", "u[CHAINS], a[2 * CHAINS];"),
                                ("c < CHAINS; c++) a[c] = 0.0f;", "c < CHAINS; c++) a[c] = a[CHAINS + c] = 0.0f;"),
                                ("          a[c] = fma(", "          a[i % 2 * CHAINS + c] = fma("),
                                ("xv, a[c]);", "xv, a[i % 2 * CHAINS + c]);"),
                                ("scales, c), a[c], t[c])", "scales, c), a[c] + a[CHAINS + c], t[c])")])


FORMS = {"running": running, "unblocked": unblocked, "interleaved": interleaved}


def environment_of(folder):
    return os.environ | ({"CLMX_KERNEL_DIR": str(folder)} if folder else {})


def check(build, name, folder):
    command = [build / "clmx", "compare", "-q", "-d", os.environ.get("CLMX_DEVICE", "pocl:0")]
    done = subprocess.run(command, env=environment_of(folder), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"order_cost: the form '{name}' is not within its budgets:\n{done.stdout}{done.stderr}")


def times(build, folder):
    """Seconds of each benchmark."""
    found = {}
    for program, chosen in (("products_bench", PRODUCTS), ("model_bench", ".")):
        command = [build / "bench" / program, "--benchmark_format=json", f"--benchmark_filter={chosen}"]
        done = subprocess.run(command, env=environment_of(folder), capture_output=True, text=True, check=True)
        for run in json.loads(done.stdout)["benchmarks"]:
            found[run["run_name"].split("/iterations")[0].split("/manual")[0].split("/real")[0]] = run["real_time"]
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path)
    return parser.parse_args()


def measured(build, folders, rounds):
    """Ratios canonical / free of every benchmark and form, one each round; another form begins each round."""
    all_forms = [(None, None), *folders.items()]
    ratios = {}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        first = number % len(all_forms)
        found = {form: times(build, folder) for form, folder in all_forms[first:] + all_forms[:first]}
        for form in folders:
            for work, time in found[form].items():
                ratios.setdefault(work, {}).setdefault(form, []).append(found[None][work] / time)
    return ratios


def report(ratios):
    print(f"{'WORK':44}" + "".join(f"{form:>13}" for form in FORMS) + f"{'BEST FREE':>13}")
    for work, forms in ratios.items():
        medians = [statistics.median(forms[form]) for form in FORMS]
        print(f"{work:44}" + "".join(f"{m:13.3f}" for m in medians) + f"{max(medians):13.3f}")


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folders = {}
        for form, change in FORMS.items():
            folders[form] = pathlib.Path(scratch) / form
            shutil.copytree(KERNELS, folders[form])
            change(folders[form])
            check(options.build, form, folders[form])
        ratios = measured(options.build, folders, options.rounds)
    report(ratios)
    if options.json:
        options.json.write_text(json.dumps(ratios, indent=1))


if __name__ == "__main__":
    main()
