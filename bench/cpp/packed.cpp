// Packs or unpacks with C++, as often as a line on standard input says, and answers how many milliseconds that took.
// Usage: packed pack|unpack FILE, where FILE holds whole words, or for unpack the packed form of so many bytes: packed unpack FILE BYTES.
#include <capnp/serialize-packed.h>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

namespace {

std::vector<kj::byte> readFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return std::vector<kj::byte>(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

// The stream's buffer is as large as the result can become, so that C++ never has to flush: its fastest way.
size_t pack(const std::vector<kj::byte>& words, std::vector<kj::byte>& room) {
  kj::ArrayOutputStream output(kj::arrayPtr(room.data(), room.size()));
  capnp::_::PackedOutputStream packed(output);
  packed.write(words.data(), words.size());
  return output.getArray().size();
}

size_t unpack(const std::vector<kj::byte>& packed, std::vector<kj::byte>& room) {
  kj::ArrayInputStream input(kj::arrayPtr(packed.data(), packed.size()));
  capnp::_::PackedInputStream unpacked(input);
  return unpacked.tryRead(room.data(), room.size(), room.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: packed pack FILE | packed unpack FILE BYTES\n";
    return 2;
  }
  bool packing = std::string(argv[1]) == "pack";
  std::vector<kj::byte> source = readFile(argv[2]);
  std::vector<kj::byte> room(packing ? source.size() / 8 * 10 + 16 : std::stoul(argv[3]));
  std::string line;
  while (std::getline(std::cin, line)) {
    unsigned long times = std::stoul(line);
    size_t bytes = 0;
    auto begin = std::chrono::steady_clock::now();
    for (unsigned long i = 0; i < times; i++) bytes = packing ? pack(source, room) : unpack(source, room);
    std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - begin;
    std::cout << bytes << ' ' << spent.count() << std::endl;
  }
}
