// Says what C++ makes of messages, for as many of them as one likes.
//
// Requests come on stdin and answers go to stdout, each behind its size in 4 bytes; all numbers are little-endian. A request
// begins with a letter; an answer with 0, or with 1 where what follows is the text of an error. See the functions below;
// test/interop/message-oracle.ts is the other side.

#include "message-edit.h"

#include <capnp/capability.h>
#include <capnp/message.h>
#include <capnp/schema-loader.h>
#include <capnp/schema.capnp.h>
#include <capnp/serialize-packed.h>
#include <capnp/serialize.h>
#include <kj/exception.h>
#include <kj/io.h>
#include <map>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

namespace oracle {

using kj::byte;
using capnp::word;

// Whatever a message's capability pointers say, there is a capability.
class AnyCapability final : public capnp::_::CapTableReader {
public:
  kj::Maybe<kj::Own<capnp::ClientHook>> extractCap(uint) override { return capnp::newBrokenCap("of a test"); }
};

class Request {
public:
  explicit Request(kj::ArrayPtr<const byte> bytes) : rest(bytes) {}

  template <typename T>
  T number() {
    T value;
    auto from = bytes(sizeof(T));
    memcpy(&value, from.begin(), sizeof(T));
    return value;
  }

  kj::ArrayPtr<const byte> bytes(size_t count) {
    KJ_REQUIRE(count <= rest.size(), "the request is too short");
    auto result = rest.slice(0, count);
    rest = rest.slice(count, rest.size());
    return result;
  }

  // Bytes behind their number.
  kj::ArrayPtr<const byte> block() { return bytes(number<uint32_t>()); }

  kj::ArrayPtr<const byte> rest;
};

kj::Array<word> wordsOf(kj::ArrayPtr<const byte> bytes) {
  auto words = kj::heapArray<word>(bytes.size() / sizeof(word));
  if (words.size() > 0) memcpy(words.begin(), bytes.begin(), words.size() * sizeof(word));
  return words;
}

uint32_t crc32(kj::ArrayPtr<const byte> bytes) {
  static uint32_t table[256];
  if (table[1] == 0) {
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ (value & 1 ? 0xedb88320u : 0);
      table[i] = value;
    }
  }
  uint32_t crc = 0xffffffffu;
  for (auto one : bytes) crc = table[(crc ^ one) & 255] ^ (crc >> 8);
  return ~crc;
}

void putNumber(Out& out, uint32_t value) {
  out.addAll(kj::arrayPtr(reinterpret_cast<const char*>(&value), sizeof(value)));
}

void putBytes(Out& out, kj::ArrayPtr<const byte> bytes) { out.addAll(bytes.asChars()); }

// The segments of a framed message, in memory of their own.
struct Segments {
  kj::Array<word> words;
  kj::Vector<kj::ArrayPtr<word>> list;
  kj::Vector<kj::ArrayPtr<const word>> readable;

  explicit Segments(kj::ArrayPtr<const byte> frame) {
    Request header(frame);
    uint count = header.number<uint32_t>() + 1;
    KJ_REQUIRE(count < 100000, "too many segments");
    kj::Vector<uint32_t> sizes;
    for (uint i = 0; i < count; i++) sizes.add(header.number<uint32_t>());
    if (count % 2 == 0) header.number<uint32_t>();
    words = wordsOf(header.rest);
    size_t start = 0;
    for (auto size : sizes) {
      KJ_REQUIRE(start + size <= words.size(), "the frame is too short");
      list.add(words.slice(start, start + size));
      readable.add(list.back());
      start += size;
    }
  }
};

struct Limits {
  capnp::ReaderOptions options;
  explicit Limits(Request& request) {
    options.traversalLimitInWords = request.number<uint64_t>();
    options.nestingLimit = request.number<uint32_t>();
  }
};

using Sets = std::map<uint32_t, kj::Own<capnp::SchemaLoader>>;

capnp::StructSchema structOf(Sets& sets, Request& request) {
  auto& loader = *sets.at(request.number<uint32_t>());
  return loader.get(request.number<uint64_t>()).asStruct();
}

// One way of using a message. Each has the whole traversal limit for itself.
const uint useCount = 6;

void use(uint which, capnp::StructSchema schema, Segments& segments, const Limits& limits, Out& out) {
  capnp::SegmentArrayMessageReader message(segments.readable.asPtr(), limits.options);
  AnyCapability capabilities;
  if (which == 5) return put(out, message.isCanonical() ? "t" : "f");
  auto pointer = capnp::_::PointerHelpers<capnp::AnyPointer>::getInternalReader(message.getRoot<capnp::AnyPointer>());
  auto root = capnp::AnyPointer::Reader(pointer.imbue(&capabilities)).getAs<DynamicStruct>(schema);
  switch (which) {
    case 0:
      return put(out, kj::str(root));
    case 1:
      return dumpStruct(out, root);
    case 2: {
      auto size = root.totalSize();
      return put(out, kj::str(size.wordCount, " ", size.capCount));
    }
    case 3: {
      auto canonical = root.as<capnp::AnyStruct>().canonicalize();
      return putBytes(out, canonical.asBytes());
    }
    case 4: {
      auto size = root.totalSize();
      KJ_REQUIRE(size.capCount == 0, "messages with capabilities are not copied here");
      capnp::MallocMessageBuilder copy(size.wordCount + 1000, capnp::AllocationStrategy::GROW_HEURISTICALLY);
      copy.setRoot(root);
      // To change it: a root that an older schema wrote is moved to where there is room for every field.
      copy.getRoot<DynamicStruct>(schema);
      return putBytes(out, capnp::messageToFlatArray(copy).asBytes());
    }
  }
}

// Whether it works, and the result or the text of the error.
bool attemptUse(uint which, capnp::StructSchema schema, Segments& segments, const Limits& limits, Out& out) {
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { use(which, schema, segments, limits, out); })) {
    out.clear();
    put(out, exception->getDescription());
    return false;
  }
  return true;
}

// L: a number for the schemas and a CodeGeneratorRequest. Schemas that had the number are forgotten.
void load(Sets& sets, Request& request, Out&) {
  auto number = request.number<uint32_t>();
  capnp::ReaderOptions unlimited;
  unlimited.traversalLimitInWords = 1ull << 40;
  unlimited.nestingLimit = 2000;
  auto words = wordsOf(request.rest);
  capnp::FlatArrayMessageReader message(words, unlimited);
  auto loader = kj::heap<capnp::SchemaLoader>();
  for (auto node : message.getRoot<capnp::schema::CodeGeneratorRequest>().getNodes()) loader->load(node);
  sets[number] = kj::mv(loader);
}

// R: schemas, type, limits, message. Of each use: 0 or 1, the size and the bytes of the result or of the error's text.
void read(Sets& sets, Request& request, Out& out) {
  auto schema = structOf(sets, request);
  Limits limits(request);
  Segments segments(request.rest);
  for (uint which = 0; which < useCount; which++) {
    Out result;
    out.add(attemptUse(which, schema, segments, limits, result) ? 0 : 1);
    putNumber(out, result.size());
    out.addAll(result);
  }
}

// M: schemas, type, limits, uses as a set of bits, message, and mutations of it: twice an index of a word and the bits to flip
// there. Of each mutation and use: 0 or 1, the size of the result and its CRC-32, both 0 for an error.
void mutate(Sets& sets, Request& request, Out& out) {
  auto schema = structOf(sets, request);
  Limits limits(request);
  auto uses = request.number<uint32_t>();
  Segments segments(request.block());
  auto words = reinterpret_cast<uint64_t*>(segments.words.begin());
  while (request.rest.size() > 0) {
    uint32_t places[2];
    uint64_t flips[2];
    for (uint i = 0; i < 2; i++) {
      places[i] = request.number<uint32_t>();
      flips[i] = request.number<uint64_t>();
      KJ_REQUIRE(places[i] < segments.words.size(), "no such word");
      words[places[i]] ^= flips[i];
    }
    for (uint which = 0; which < useCount; which++) {
      if (!(uses & (1u << which))) continue;
      Out result;
      bool ok = attemptUse(which, schema, segments, limits, result);
      out.add(ok ? 0 : 1);
      putNumber(out, ok ? result.size() : 0);
      putNumber(out, ok ? crc32(result.asPtr().asBytes()) : 0);
    }
    for (uint i = 0; i < 2; i++) words[places[i]] ^= flips[i];
  }
}

struct Allocation {
  uint firstSegmentWords;
  capnp::AllocationStrategy strategy;
  explicit Allocation(Request& request) {
    firstSegmentWords = request.number<uint32_t>();
    strategy = request.number<uint8_t>() == 0 ? capnp::AllocationStrategy::FIXED_SIZE
                                              : capnp::AllocationStrategy::GROW_HEURISTICALLY;
  }
};

// W: schemas, type, limits, allocation, message. The message built field by field.
void write(Sets& sets, Request& request, Out& out) {
  auto schema = structOf(sets, request);
  Limits limits(request);
  Allocation allocation(request);
  Segments segments(request.rest);
  capnp::SegmentArrayMessageReader message(segments.readable.asPtr(), limits.options);
  capnp::MallocMessageBuilder builder(allocation.firstSegmentWords, allocation.strategy);
  buildStruct(message.getRoot<DynamicStruct>(schema), builder.initRoot<DynamicStruct>(schema));
  putBytes(out, capnp::messageToFlatArray(builder).asBytes());
}

// E: schemas and type of the writer, schemas and type of the one who changes it, limits, allocation, 1 to switch unions,
// message. The message as the former's copy of it is changed by the latter.
void edit(Sets& sets, Request& request, Out& out) {
  auto writer = structOf(sets, request);
  auto editor = structOf(sets, request);
  Limits limits(request);
  Allocation allocation(request);
  bool switches = request.number<uint8_t>() == 1;
  Segments segments(request.rest);
  capnp::SegmentArrayMessageReader message(segments.readable.asPtr(), limits.options);
  capnp::MallocMessageBuilder builder(allocation.firstSegmentWords, allocation.strategy);
  builder.setRoot(message.getRoot<DynamicStruct>(writer));
  changeStruct(builder.getRoot<DynamicStruct>(editor), 0, switches);
  putBytes(out, capnp::messageToFlatArray(builder).asBytes());
}

// P: bytes, to be packed.
void pack(Request& request, Out& out) {
  kj::VectorOutputStream stream;
  {
    kj::BufferedOutputStreamWrapper buffered(stream);
    capnp::_::PackedOutputStream packed(buffered);
    packed.write(request.rest.begin(), request.rest.size());
  }
  putBytes(out, stream.getArray());
}

// U: the size of what comes out, and packed bytes.
void unpack(Request& request, Out& out) {
  auto size = request.number<uint32_t>();
  kj::ArrayInputStream stream(request.rest);
  capnp::_::PackedInputStream packed(stream);
  auto bytes = kj::heapArray<byte>(size);
  packed.read(bytes.begin(), size);
  KJ_REQUIRE(stream.tryGetReadBuffer().size() == 0, "packed bytes are left over");
  putBytes(out, bytes);
}

void answer(Sets& sets, Request request, Out& out) {
  switch (request.number<char>()) {
    case 'L': return load(sets, request, out);
    case 'R': return read(sets, request, out);
    case 'M': return mutate(sets, request, out);
    case 'W': return write(sets, request, out);
    case 'E': return edit(sets, request, out);
    case 'P': return pack(request, out);
    case 'U': return unpack(request, out);
    default: KJ_FAIL_REQUIRE("unknown request");
  }
}

void serve() {
  // Lets the library make capabilities.
  capnp::ReaderCapabilityTable none(nullptr);
  kj::FdInputStream in(STDIN_FILENO);
  kj::BufferedInputStreamWrapper buffered(in);
  kj::FdOutputStream stdoutStream(STDOUT_FILENO);
  Sets sets;
  while (buffered.tryGetReadBuffer().size() > 0) {
    uint32_t size;
    buffered.read(&size, sizeof(size));
    auto bytes = kj::heapArray<byte>(size);
    buffered.read(bytes.begin(), size);
    Out out;
    out.add(0);
    KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { answer(sets, Request(bytes), out); })) {
      out.clear();
      out.add(1);
      put(out, exception->getDescription());
    }
    uint32_t outSize = out.size();
    stdoutStream.write(&outSize, sizeof(outSize));
    stdoutStream.write(out.begin(), out.size());
  }
}

}  // namespace oracle

int main() {
  oracle::serve();
  return 0;
}
