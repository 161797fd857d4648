// The C++ peer: `cpp-peer serve` prints its port and serves until its standard input ends; `cpp-peer call PORT` reads lines
// `WORK MILLISECONDS` and answers each with how many times a second the work was done, as client.js does.
#include "bench.capnp.h"
#include <capnp/rpc-twoparty.h>
#include <chrono>
#include <iostream>
#include <kj/async-io.h>
#include <string>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;

class BenchImpl final : public Bench::Server {
  kj::Promise<void> add(AddContext context) override {
    auto params = context.getParams();
    auto sum = static_cast<uint32_t>(params.getA()) + static_cast<uint32_t>(params.getB());
    context.getResults().setSum(static_cast<int32_t>(sum));
    return kj::READY_NOW;
  }
  kj::Promise<void> next(NextContext context) override {
    context.getResults().setNext(thisCap());
    return kj::READY_NOW;
  }
  kj::Promise<void> echo(EchoContext context) override {
    context.getResults().setData(context.getParams().getData());
    return kj::READY_NOW;
  }
};

struct Caller {
  Bench::Client bench;
  kj::Array<kj::byte> data = kj::heapArray<kj::byte>(65536);
  Clock::time_point end;
  uint64_t done = 0;

  explicit Caller(Bench::Client bench) : bench(kj::mv(bench)) {
    for (size_t i = 0; i < data.size(); i++) data[i] = static_cast<kj::byte>(i * 7);
  }

  kj::Promise<void> add(Bench::Client& on, int32_t a) {
    auto request = on.addRequest();
    request.setA(a);
    request.setB(7);
    return request.send().then([a](auto&& results) {
      KJ_ASSERT(results.getSum() == static_cast<int32_t>(static_cast<uint32_t>(a) + 7u));
    });
  }

  kj::Promise<void> once(const std::string& work, int32_t seed) {
    if (work == "pipeline-10") {
      auto last = bench;
      for (int i = 1; i < 10; i++) last = last.nextRequest().send().getNext();
      return add(last, seed).attach(kj::mv(last));
    }
    if (work == "echo-64k") {
      auto request = bench.echoRequest();
      request.setData(data);
      return request.send().then([this](auto&& results) {
        auto echo = results.getData();
        KJ_ASSERT(echo.size() == data.size() && echo[65535] == data[65535]);
      });
    }
    return add(bench, seed);
  }

  kj::Promise<void> loop(const std::string& work, int32_t seed) {
    if (Clock::now() >= end) return kj::READY_NOW;
    return once(work, seed).then([this, &work, seed]() {
      done++;
      return loop(work, static_cast<int32_t>(static_cast<uint32_t>(seed) + 1u));
    });
  }
};

int serve() {
  auto io = kj::setupAsyncIo();
  auto address = io.provider->getNetwork().parseAddress("127.0.0.1", 0).wait(io.waitScope);
  auto listener = address->listen();
  std::cout << listener->getPort() << std::endl;
  capnp::TwoPartyServer server(kj::heap<BenchImpl>());
  // The process ends with its parent, which closes its standard input.
  std::thread([] {
    while (std::cin.get() != EOF) {
    }
    std::_Exit(0);
  }).detach();
  server.listen(*listener).wait(io.waitScope);
  return 0;
}

int call(const char* port) {
  auto io = kj::setupAsyncIo();
  auto address = io.provider->getNetwork().parseAddress(kj::str("127.0.0.1:", port)).wait(io.waitScope);
  auto stream = address->connect().wait(io.waitScope);
  capnp::TwoPartyClient client(*stream);
  Caller caller(client.bootstrap().castAs<Bench>());
  std::string work;
  uint64_t milliseconds;
  while (std::cin >> work >> milliseconds) {
    auto begin = Clock::now();
    caller.end = begin + std::chrono::milliseconds(milliseconds);
    caller.done = 0;
    unsigned count = work == "rpc-128" ? 128 : work == "echo-64k" ? 16 : 1;
    kj::Vector<kj::Promise<void>> loops;
    for (unsigned i = 0; i < count; i++) loops.add(caller.loop(work, static_cast<int32_t>(i)));
    kj::joinPromises(loops.releaseAsArray()).wait(io.waitScope);
    std::chrono::duration<double> seconds = Clock::now() - begin;
    std::cout << static_cast<double>(caller.done) / seconds.count() << std::endl;
  }
  return 0;
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc == 2 && std::string(argv[1]) == "serve") return serve();
  if (argc == 3 && std::string(argv[1]) == "call") return call(argv[2]);
  std::cerr << "usage: cpp-peer serve | call PORT" << std::endl;
  return 2;
}
