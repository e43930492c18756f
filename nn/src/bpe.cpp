#include "bpe.hpp"

#include <queue>
#include <tuple>

namespace clmx {

/// A merge that was possible when it was queued. It is stale once either side has changed.
struct BytePairEncoder::Candidate {
  std::int32_t rank, at, left_id, right_id, result;
  bool operator<(const Candidate& other) const {  // the top of the queue is the largest
    return std::tie(rank, at) > std::tie(other.rank, other.at);
  }
};

/// The symbols of one piece as a linked list, and the queue of what may be merged.
class BytePairEncoder::Work {
 public:
  Work(const BytePairEncoder& encoder, std::string_view piece) : encoder_(encoder) {
    for (const char c : piece) {
      const std::int32_t id = encoder.byte_ids_[static_cast<unsigned char>(c)];
      const auto at = static_cast<std::int32_t>(symbols_.size());
      if (id >= 0) symbols_.push_back({id, at - 1, at + 1});
    }
    if (!symbols_.empty()) symbols_.back().after = -1;
  }

  void run(std::vector<std::int32_t>& out) {
    for (std::size_t i = 0; i + 1 < symbols_.size(); ++i) offer(static_cast<std::int32_t>(i));
    while (!queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      if (is_current(best)) merge(best);
    }
    for (std::int32_t at = symbols_.empty() ? -1 : 0; at >= 0; at = symbol(at).after) {
      out.push_back(symbol(at).id);
    }
  }

 private:
  Symbol& symbol(std::int32_t at) { return symbols_[static_cast<std::size_t>(at)]; }

  void offer(std::int32_t at) {
    const Symbol& left = symbol(at);
    const std::int32_t right_id = symbol(left.after).id;
    const Merge* const merge = encoder_.merge_of(left.id, right_id);
    if (merge) queue_.push({merge->rank, at, left.id, right_id, merge->result});
  }
  bool is_current(const Candidate& candidate) {
    const Symbol& left = symbol(candidate.at);
    return left.id == candidate.left_id && left.after >= 0 &&
           symbol(left.after).id == candidate.right_id;
  }
  void merge(const Candidate& candidate) {
    Symbol& left = symbol(candidate.at);
    Symbol& right = symbol(left.after);
    left.id = candidate.result;
    left.after = right.after;
    right.id = -1;  // nothing queued for it is current any more
    if (left.after >= 0) {
      symbol(left.after).before = candidate.at;
      offer(candidate.at);
    }
    if (left.before >= 0) offer(left.before);
  }

  const BytePairEncoder& encoder_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Candidate> queue_;
};

std::int32_t BytePairEncoder::add_token(std::string_view bytes, std::int32_t id) {
  const std::int32_t same = ids_.insert(bytes, id);
  if (same < 0 && bytes.size() == 1) byte_ids_[static_cast<unsigned char>(bytes[0])] = id;
  return same;
}

const BytePairEncoder::Merge* BytePairEncoder::merge_of(std::int32_t left,
                                                        std::int32_t right) const {
  const auto found = merges_.find(key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

bool BytePairEncoder::add_merge(std::string_view left, std::string_view right) {
  const std::int32_t left_id = ids_.find(left), right_id = ids_.find(right);
  const std::int32_t result = ids_.find(std::string(left).append(right));
  if (left_id < 0 || right_id < 0 || result < 0) return false;
  merges_.try_emplace(key(left_id, right_id),
                      Merge{static_cast<std::int32_t>(merges_.size()), result});
  return true;
}

void BytePairEncoder::encode(std::string_view piece, std::vector<std::int32_t>& out) const {
  if (whole_pieces_first_) {
    if (const std::int32_t id = ids_.find(piece); id >= 0) {
      out.push_back(id);
      return;
    }
  }
  Work(*this, piece).run(out);
}

}  // namespace clmx
