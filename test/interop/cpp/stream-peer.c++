// stream-peer serve HOST:PORT   serves a Counter until it is killed; prints `listening on HOST:PORT`
// stream-peer send HOST:PORT    sends 300 numbers, then one that fails; prints what it hears

#include <capnp/ez-rpc.h>
#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/main.h>
#include <stdio.h>

#include "counter.capnp.h"

namespace {

constexpr uint32_t poison = 0xffffffffu;

class CounterImpl final : public Counter::Server {
public:
  kj::Promise<void> add(AddContext context) override {
    uint32_t n = context.getParams().getN();
    ++running;
    if (running > most) most = running;
    return kj::evalLast([]() {}).then([this, n]() {
      --running;
      KJ_REQUIRE(n != poison, "that is no number");
      ++calls;
      sum += n;
    });
  }

  kj::Promise<void> total(TotalContext context) override {
    auto results = context.getResults();
    results.setTotal(sum);
    results.setCalls(calls);
    results.setMost(most);
    return kj::READY_NOW;
  }

private:
  uint64_t sum = 0;
  uint32_t calls = 0;
  uint32_t running = 0;
  uint32_t most = 0;
};

void say(kj::StringPtr line) {
  puts(line.cStr());
  fflush(stdout);
}

class PeerMain {
public:
  explicit PeerMain(kj::ProcessContext& context) : context(context) {}

  kj::MainFunc getMain() {
    return kj::MainBuilder(context, "stream-peer", "Streams numbers.")
        .addSubCommand("serve", KJ_BIND_METHOD(*this, getServe), "Serves a counter.")
        .addSubCommand("send", KJ_BIND_METHOD(*this, getSend), "Sends numbers.")
        .build();
  }

private:
  kj::ProcessContext& context;
  kj::StringPtr address;

  kj::MainBuilder::Validity setAddress(kj::StringPtr argument) {
    address = argument;
    return true;
  }

  kj::MainFunc getServe() {
    return kj::MainBuilder(context, "stream-peer serve", "Serves a counter.")
        .expectArg("HOST:PORT", KJ_BIND_METHOD(*this, setAddress))
        .callAfterParsing(KJ_BIND_METHOD(*this, serve))
        .build();
  }

  kj::MainFunc getSend() {
    return kj::MainBuilder(context, "stream-peer send", "Sends numbers.")
        .expectArg("HOST:PORT", KJ_BIND_METHOD(*this, setAddress))
        .callAfterParsing(KJ_BIND_METHOD(*this, send))
        .build();
  }

  kj::MainBuilder::Validity serve() {
    capnp::EzRpcServer server(kj::heap<CounterImpl>(), address);
    auto port = server.getPort().wait(server.getWaitScope());
    say(kj::str("listening on 127.0.0.1:", port));
    kj::NEVER_DONE.wait(server.getWaitScope());
  }

  kj::MainBuilder::Validity send() {
    auto io = kj::setupAsyncIo();
    auto& waitScope = io.waitScope;
    auto stream = io.provider->getNetwork().parseAddress(address).wait(waitScope)->connect().wait(waitScope);
    // Not EzRpcClient: calls on the promise that it gives are awaited, streaming or not.
    capnp::TwoPartyClient client(*stream);
    auto counter = client.bootstrap().castAs<Counter>();
    auto add = [&](uint32_t n) {
      auto request = counter.addRequest();
      request.setN(n);
      request.initPadding(1000);
      return request.send();
    };
    auto total = [&]() {
      auto results = counter.totalRequest().send().wait(waitScope);
      say(kj::str("total ", results.getTotal(), " of ", results.getCalls(), ", together ", results.getMost()));
    };
    for (uint32_t n = 0; n < 300; n++) add(n).wait(waitScope);
    total();
    add(poison).wait(waitScope);
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions(total)) {
      say(kj::str("total failed: ", exception->getDescription()));
    }
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { add(1).wait(waitScope); })) {
      say(kj::str("add failed: ", exception->getDescription()));
    }
    return true;
  }
};

}  // namespace

KJ_MAIN(PeerMain)
