#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace clmx {

/// A program's binary as the driver gave it, after these launches ("entry x y z").
struct StoredBinary {
  std::set<std::string> shapes;
  std::vector<unsigned char> payload;
};

/// The bytes of a cache entry: magic, XXH3-128 of the rest; key, shapes and payload, each after its
/// length (u64, little-endian).
std::string encode_entry(std::string_view key, const StoredBinary& binary);

/// The entry, if every byte is as written and the key is this one.
std::optional<StoredBinary> decode_entry(std::string_view entry, std::string_view key);

/// Where environment variables come from; an empty one is absent.
using Variables = std::function<std::optional<std::string>(const char*)>;

/// CLMX_CACHE_DIR, else clmx in XDG_CACHE_HOME, else in HOME/.cache; nothing without all three.
std::optional<std::filesystem::path> wanted_cache_directory(const Variables& variable);
/// Whether it is a folder of this user that nobody else can write to.
bool belongs_to_us_alone(const std::filesystem::path& directory);

/// The wanted directory, made with mode 0700. Nothing
/// when CLMX_CACHE is off, or when another user could write there.
std::optional<std::filesystem::path> cache_directory();

/// Removes temporaries older than an hour: of processes that were killed while they wrote. The
/// first cache_directory() of a process does it.
void sweep_temporaries(const std::filesystem::path& directory);

/// Where the entry of a key is kept: named by the key's XXH3-128.
std::filesystem::path entry_path(const std::filesystem::path& directory, std::string_view key);

/// Nothing when there is no entry or anything is odd about it.
std::optional<StoredBinary> load_binary(std::string_view key);

/// Writes a temporary, syncs and renames it. False when that fails: the next start compiles.
bool store_binary(std::string_view key, const StoredBinary& binary);

}  // namespace clmx
