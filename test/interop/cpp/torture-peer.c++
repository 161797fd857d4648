// torture-peer serve [--tls CERT KEY] ADDRESS
// torture-peer check [--tls CA] ADDRESS
//
// An address is HOST:PORT, unix:PATH, or ws://HOST:PORT/ (ws://HOST:PORT to serve). One end of the torture tests. `serve` prints `listening on HOST:PORT` once it accepts connections, and serves until it is
// killed. `check` does to the server what torture.capnp is for, prints `ok NAME` for each check that holds, and ends with
// status 1 at the first that does not.

#include <capnp/message.h>
#include <stdio.h>
#include <string.h>

#include <functional>

#include "endpoint.h"
#include "torture.capnp.h"
#include "web-socket.h"

// Object ids of bootstrap requests are deprecated here, and gone in later versions.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace {

// What the objects of one connection share.
struct Counters : public kj::Refcounted {
  uint32_t alive = 0;
  uint32_t canceled = 0;
};

class ResolverImpl final : public Torture::Resolver::Server {
public:
  explicit ResolverImpl(kj::Own<kj::PromiseFulfiller<Torture::Client>> fulfiller) : fulfiller(kj::mv(fulfiller)) {}

  kj::Promise<void> resolve(ResolveContext context) override {
    fulfiller->fulfill(context.getParams().getCap());
    return kj::READY_NOW;
  }
  kj::Promise<void> reject(RejectContext context) override {
    fulfiller->reject(KJ_EXCEPTION(FAILED, context.getParams().getText()));
    return kj::READY_NOW;
  }

private:
  kj::Own<kj::PromiseFulfiller<Torture::Client>> fulfiller;
};

class TortureImpl final : public Torture::Server {
public:
  TortureImpl(kj::Own<Counters> counters, uint32_t depth) : counters(kj::mv(counters)), depth(depth) {
    if (depth > 0) this->counters->alive++;
  }
  ~TortureImpl() {
    if (depth > 0) counters->alive--;
  }

  kj::Promise<void> next(NextContext context) override {
    auto results = context.getResults();
    results.setNext(kj::heap<TortureImpl>(kj::addRef(*counters), depth + 1));
    results.setDepth(depth + 1);
    return kj::READY_NOW;
  }
  kj::Promise<void> order(OrderContext context) override {
    context.getResults().setN(calls++);
    return kj::READY_NOW;
  }
  kj::Promise<void> echo(EchoContext context) override {
    context.getResults().setCap(context.getParams().getCap());
    return kj::READY_NOW;
  }
  kj::Promise<void> promise(PromiseContext context) override {
    auto pair = kj::newPromiseAndFulfiller<Torture::Client>();
    auto results = context.getResults();
    results.setCap(kj::mv(pair.promise));
    results.setResolver(kj::heap<ResolverImpl>(kj::mv(pair.fulfiller)));
    return kj::READY_NOW;
  }
  kj::Promise<void> hold(HoldContext context) override {
    kept = context.getParams().getCap();
    return kj::READY_NOW;
  }
  kj::Promise<void> held(HeldContext context) override {
    KJ_IF_MAYBE (cap, kept) context.getResults().setCap(*cap);
    return kj::READY_NOW;
  }
  kj::Promise<void> letGo(LetGoContext) override {
    kept = nullptr;
    return kj::READY_NOW;
  }
  kj::Promise<void> callHeld(CallHeldContext context) override {
    return KJ_REQUIRE_NONNULL(kept, "nothing is held")
        .orderRequest()
        .send()
        .then([context](auto&& results) mutable { context.getResults().setN(results.getN()); });
  }
  kj::Promise<void> tailOrder(TailOrderContext context) override {
    auto callee = context.getParams().getCallee();
    context.releaseParams();
    return context.tailCall(callee.orderRequest());
  }
  kj::Promise<void> tailNext(TailNextContext context) override {
    auto callee = context.getParams().getCallee();
    context.releaseParams();
    return context.tailCall(callee.nextRequest());
  }
  kj::Promise<void> never(NeverContext context) override {
    context.allowCancellation();
    struct Watch {
      kj::Own<Counters> counters;
      explicit Watch(kj::Own<Counters> counters) : counters(kj::mv(counters)) {}
      ~Watch() { counters->canceled++; }
    };
    return kj::Promise<void>(kj::NEVER_DONE).attach(kj::heap<Watch>(kj::addRef(*counters)), thisCap());
  }
  kj::Promise<void> canceled(CanceledContext context) override {
    context.getResults().setCount(counters->canceled);
    return kj::READY_NOW;
  }
  kj::Promise<void> write(WriteContext context) override {
    auto data = context.getParams().getData();
    KJ_REQUIRE(data.size() > 0, "nothing to write");
    writtenBytes += data.size();
    writes++;
    return kj::READY_NOW;
  }
  kj::Promise<void> written(WrittenContext context) override {
    context.getResults().setBytes(writtenBytes);
    context.getResults().setCalls(writes);
    return kj::READY_NOW;
  }
  kj::Promise<void> throw_(ThrowContext context) override {
    auto params = context.getParams();
    auto type = static_cast<kj::Exception::Type>(params.getKind());
    return kj::Exception(type, __FILE__, __LINE__, kj::heapString(params.getText()));
  }
  kj::Promise<void> null(NullContext) override { return kj::READY_NOW; }
  kj::Promise<void> broken(BrokenContext context) override {
    context.getResults().setCap(kj::Promise<Torture::Client>(KJ_EXCEPTION(FAILED, "broken as asked")));
    return kj::READY_NOW;
  }
  kj::Promise<void> alive(AliveContext context) override {
    context.getResults().setObjects(counters->alive);
    return kj::READY_NOW;
  }

private:
  kj::Own<Counters> counters;
  uint32_t depth;
  uint32_t calls = 0;
  uint64_t writtenBytes = 0;
  uint32_t writes = 0;
  kj::Maybe<Torture::Client> kept;
};

// Bootstrap for no object id, the same object for "torture", an error for every other.
class Restorer final : public capnp::SturdyRefRestorer<capnp::AnyPointer> {
public:
  explicit Restorer(Torture::Client bootstrap) : bootstrap(kj::mv(bootstrap)) {}

  capnp::Capability::Client restore(capnp::AnyPointer::Reader id) override {
    if (id.isNull()) return bootstrap;
    auto name = id.getAs<capnp::Text>();
    KJ_REQUIRE(name == "torture", "no object of this name", name);
    return bootstrap;
  }

private:
  Torture::Client bootstrap;
};

struct Connection {
  kj::Own<kj::AsyncIoStream> stream;
  capnp::TwoPartyVatNetwork network;
  Restorer restorer;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;

  explicit Connection(kj::Own<kj::AsyncIoStream> accepted)
      : stream(kj::mv(accepted)),
        network(*stream, capnp::rpc::twoparty::Side::SERVER),
        restorer(kj::heap<TortureImpl>(kj::refcounted<Counters>(), 0)),
        system(capnp::makeRpcServer(network, restorer)) {}
};

struct WebSocketVat {
  kj::Own<kj::WebSocket> socket;
  capnp::WebSocketMessageStream stream;
  capnp::TwoPartyVatNetwork network;
  Restorer restorer;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;

  explicit WebSocketVat(kj::Own<kj::WebSocket> accepted)
      : socket(kj::mv(accepted)),
        stream(*socket),
        network(stream, capnp::rpc::twoparty::Side::SERVER),
        restorer(kj::heap<TortureImpl>(kj::refcounted<Counters>(), 0)),
        system(capnp::makeRpcServer(network, restorer)) {}
};

class Connections final : private kj::TaskSet::ErrorHandler {
public:
  explicit Connections(kj::Maybe<kj::Own<kj::TlsContext>> tls) : tls(kj::mv(tls)), running(*this) {}

  kj::Promise<void> serve(kj::ConnectionReceiver& receiver) {
    return receiver.accept().then([this, &receiver](kj::Own<kj::AsyncIoStream>&& stream) {
      KJ_IF_MAYBE (context, tls) {
        running.add((*context)->wrapServer(kj::mv(stream)).then([this](kj::Own<kj::AsyncIoStream>&& secured) {
          return accept(kj::mv(secured));
        }));
      } else {
        running.add(accept(kj::mv(stream)));
      }
      return serve(receiver);
    });
  }

private:
  kj::Maybe<kj::Own<kj::TlsContext>> tls;
  kj::TaskSet running;

  static kj::Promise<void> accept(kj::Own<kj::AsyncIoStream> stream) {
    auto connection = kj::heap<Connection>(kj::mv(stream));
    auto gone = connection->network.onDisconnect();
    return gone.attach(kj::mv(connection));
  }

  void taskFailed(kj::Exception&& exception) override { KJ_LOG(WARNING, "a connection failed", exception); }
};

// The checks. Each leaves nothing behind.
class Checks {
public:
  Checks(Torture::Client peer, capnp::Capability::Client restored, kj::WaitScope& scope)
      : peer(kj::mv(peer)), restored(kj::mv(restored)), scope(scope), own(kj::refcounted<Counters>()) {}

  void run() {
    check("a chain of 50 pipelined calls", [this] {
      auto last = peer;
      for (int i = 0; i < 49; i++) last = last.nextRequest().send().getNext();
      expect(last.nextRequest().send().wait(scope).getDepth() == 50, "the depth");
    });
    check("calls arrive in the order in which they were made", [this] {
      auto target = fresh();
      kj::Vector<kj::Promise<void>> all;
      for (uint32_t i = 0; i < 100; i++) all.add(expectOrder(target, i));
      kj::joinPromises(all.releaseAsArray()).wait(scope);
    });
    check("calls through a promise that turns out to be ours stay in order", [this] {
      auto mine = local();
      auto request = peer.echoRequest();
      request.setCap(mine);
      auto echo = request.send();
      auto promised = echo.getCap();
      kj::Vector<kj::Promise<void>> all;
      for (uint32_t i = 0; i < 10; i++) all.add(expectOrder(promised, i));
      auto results = echo.wait(scope);
      for (uint32_t i = 10; i < 20; i++) all.add(expectOrder(promised, i));
      kj::joinPromises(all.releaseAsArray()).wait(scope);
      // Another reference: its calls are only in order with older ones that have come.
      expectOrder(results.getCap(), 20).wait(scope);
    });
    check("a promise of the peer resolves to an object of the peer", [this] {
      auto made = peer.promiseRequest().send();
      auto cap = made.getCap();
      auto target = fresh();
      kj::Vector<kj::Promise<void>> all;
      for (uint32_t i = 0; i < 5; i++) all.add(expectOrder(cap, i));
      auto resolve = made.getResolver().resolveRequest();
      resolve.setCap(target);
      resolve.send().wait(scope);
      for (uint32_t i = 5; i < 10; i++) all.add(expectOrder(cap, i));
      kj::joinPromises(all.releaseAsArray()).wait(scope);
    });
    check("a promise of the peer resolves to an object of ours", [this] {
      auto made = peer.promiseRequest().send();
      auto cap = made.getCap();
      auto mine = local();
      kj::Vector<kj::Promise<void>> all;
      for (uint32_t i = 0; i < 5; i++) all.add(expectOrder(cap, i));
      auto resolve = made.getResolver().resolveRequest();
      resolve.setCap(mine);
      resolve.send().wait(scope);
      for (uint32_t i = 5; i < 10; i++) all.add(expectOrder(cap, i));
      cap.whenResolved().wait(scope);
      for (uint32_t i = 10; i < 15; i++) all.add(expectOrder(cap, i));
      kj::joinPromises(all.releaseAsArray()).wait(scope);
    });
    check("a promise of the peer breaks", [this] {
      auto made = peer.promiseRequest().send();
      auto cap = made.getCap();
      auto early = cap.orderRequest().send();
      auto reject = made.getResolver().rejectRequest();
      reject.setText("as told");
      reject.send().wait(scope);
      expectFailure(early.ignoreResult(), kj::Exception::Type::FAILED, "as told");
      expectFailure(cap.orderRequest().send().ignoreResult(), kj::Exception::Type::FAILED, "as told");
    });
    check("a promise of ours resolves to an object of the peer", [this] {
      auto pair = kj::newPromiseAndFulfiller<Torture::Client>();
      hold(kj::mv(pair.promise));
      auto first = peer.callHeldRequest().send();
      auto second = peer.callHeldRequest().send();
      pair.fulfiller->fulfill(fresh());
      expect(first.wait(scope).getN() == 0, "the first call");
      expect(second.wait(scope).getN() == 1, "the second call");
      expect(peer.callHeldRequest().send().wait(scope).getN() == 2, "the third call");
      letGo();
    });
    check("a promise of ours resolves to an object of ours", [this] {
      auto pair = kj::newPromiseAndFulfiller<Torture::Client>();
      hold(kj::mv(pair.promise));
      auto first = peer.callHeldRequest().send();
      pair.fulfiller->fulfill(local());
      expect(first.wait(scope).getN() == 0, "the first call");
      expect(peer.callHeldRequest().send().wait(scope).getN() == 1, "the second call");
      letGo();
    });
    check("a promise of ours breaks", [this] {
      auto pair = kj::newPromiseAndFulfiller<Torture::Client>();
      hold(kj::mv(pair.promise));
      auto call = peer.callHeldRequest().send();
      pair.fulfiller->reject(KJ_EXCEPTION(OVERLOADED, "too much here"));
      expectFailure(call.ignoreResult(), kj::Exception::Type::OVERLOADED, "too much here");
      letGo();
    });
    check("tail calls to an object of the peer", [this] {
      auto target = fresh();
      for (uint32_t i = 0; i < 3; i++) expect(tailOrder(target).wait(scope).getN() == i, "the count");
    });
    check("tail calls to an object of ours", [this] {
      auto mine = local();
      for (uint32_t i = 0; i < 3; i++) expect(tailOrder(mine).wait(scope).getN() == i, "the count");
    });
    check("a call on the results of a tail call to an object of ours", [this] {
      auto request = peer.tailNextRequest();
      request.setCallee(local());
      auto promise = request.send();
      auto next = promise.getNext();
      auto early = expectOrder(next, 0);
      auto results = promise.wait(scope);
      expect(results.getDepth() == 2, "the depth");
      early.wait(scope);
      expectOrder(results.getNext(), 1).wait(scope);
      expectOrder(next, 2).wait(scope);
    });
    check("a call that is given up", [this] {
      auto before = peer.canceledRequest().send().wait(scope).getCount();
      {
        auto request = peer.neverRequest();
        request.setCap(local());
        auto promise = request.send();
        // The peer has it before it is canceled.
        peer.canceledRequest().send().wait(scope);
      }
      waitUntil([&] { return peer.canceledRequest().send().wait(scope).getCount() == before + 1; }, "canceled");
      waitUntil([&] { return own->alive == 0; }, "our object released");
    });
    check("one capability, sent many times", [this] {
      auto mine = local();
      for (int i = 0; i < 20; i++) hold(mine);
      expectOrder(peer.heldRequest().send().getCap(), 0).wait(scope);
      letGo();
      expectOrder(mine, 1).wait(scope);
    });
    check("a stream of 200 writes, and an ordinary call after it", [this] {
      auto target = fresh();
      auto data = kj::heapArray<kj::byte>(4000);
      memset(data.begin(), 7, data.size());
      for (int i = 0; i < 200; i++) {
        auto request = target.writeRequest();
        request.setData(data);
        request.send().wait(scope);
      }
      auto results = target.writtenRequest().send().wait(scope);
      expect(results.getBytes() == 800000 && results.getCalls() == 200, "all of it came");
    });
    check("a stream that fails", [this] {
      auto target = fresh();
      auto first = target.writeRequest();
      first.setData(kj::heapArray<kj::byte>(0));
      // The failure comes with this write or with a later one.
      auto failed = first.send().then([] { return false; }, [](kj::Exception&&) { return true; });
      bool seen = failed.wait(scope);
      auto data = kj::heapArray<kj::byte>(10);
      for (int i = 0; i < 100 && !seen; i++) {
        target.aliveRequest().send().ignoreResult().then([] {}, [](kj::Exception&&) {}).wait(scope);
        auto request = target.writeRequest();
        request.setData(data);
        seen = request.send().then([] { return false; }, [](kj::Exception&&) { return true; }).wait(scope);
      }
      expect(seen, "a later write fails");
    });
    check("exceptions of every kind", [this] {
      const char* texts[] = {"a failure", "too much", "gone", "not known"};
      for (uint16_t kind = 0; kind < 4; kind++) {
        auto request = peer.throwRequest();
        request.setKind(static_cast<Torture::Kind>(kind));
        request.setText(texts[kind]);
        expectFailure(request.send().ignoreResult(), static_cast<kj::Exception::Type>(kind), texts[kind]);
      }
    });
    check("a null capability", [this] {
      auto results = peer.nullRequest().send().wait(scope);
      expect(!results.hasCap(), "it is null");
      auto through = peer.nullRequest().send().getCap().orderRequest().send().ignoreResult();
      expectFailure(kj::mv(through), kj::Exception::Type::FAILED, "");
    });
    check("a broken capability", [this] {
      auto promise = peer.brokenRequest().send();
      auto early = promise.getCap().orderRequest().send().ignoreResult();
      expectFailure(kj::mv(early), kj::Exception::Type::FAILED, "broken as asked");
      auto results = promise.wait(scope);
      auto late = results.getCap().orderRequest().send().ignoreResult();
      expectFailure(kj::mv(late), kj::Exception::Type::FAILED, "broken as asked");
    });
    check("an object restored by its name", [this] {
      auto cap = kj::mv(KJ_REQUIRE_NONNULL(restored)).castAs<Torture>();
      restored = nullptr;
      expect(cap.nextRequest().send().wait(scope).getDepth() == 1, "it is the bootstrap object");
    });
    check("nothing is left on either side", [this] {
      waitUntil([&] { return peer.aliveRequest().send().wait(scope).getObjects() == 0; }, "objects of the peer");
      waitUntil([&] { return own->alive == 0; }, "objects of ours");
    });
  }

private:
  Torture::Client peer;
  kj::Maybe<capnp::Capability::Client> restored;
  kj::WaitScope& scope;
  kj::Own<Counters> own;

  static void check(const char* name, std::function<void()> body) {
    body();
    printf("ok %s\n", name);
    fflush(stdout);
  }

  static void expect(bool holds, kj::StringPtr what) { KJ_REQUIRE(holds, what); }

  Torture::Client fresh() { return peer.nextRequest().send().getNext(); }

  Torture::Client local() { return kj::heap<TortureImpl>(kj::addRef(*own), 1); }

  static kj::Promise<void> expectOrder(Torture::Client target, uint32_t n) {
    return target.orderRequest().send().then(
        [n](auto&& results) { KJ_REQUIRE(results.getN() == n, "a call arrived out of order", results.getN(), n); });
  }

  void hold(Torture::Client cap) {
    auto request = peer.holdRequest();
    request.setCap(kj::mv(cap));
    request.send().wait(scope);
  }

  void letGo() { peer.letGoRequest().send().wait(scope); }

  capnp::RemotePromise<Torture::Count> tailOrder(Torture::Client target) {
    auto request = peer.tailOrderRequest();
    request.setCallee(kj::mv(target));
    return request.send();
  }

  void expectFailure(kj::Promise<void> promise, kj::Exception::Type type, kj::StringPtr text) {
    bool failed = promise
                      .then([] { return false; },
                            [type, text](kj::Exception&& exception) {
                              KJ_REQUIRE(exception.getType() == type, exception);
                              KJ_REQUIRE(strstr(exception.getDescription().cStr(), text.cStr()) != nullptr, exception);
                              return true;
                            })
                      .wait(scope);
    expect(failed, "a failure");
  }

  // Releases travel on their own: they may take a few more round trips.
  void waitUntil(std::function<bool()> holds, kj::StringPtr what) {
    for (int i = 0; i < 1000; i++) {
      if (holds()) return;
      peer.canceledRequest().send().wait(scope);
    }
    KJ_FAIL_REQUIRE("did not come about", what);
  }
};

struct Arguments {
  bool tls = false;
  kj::Vector<kj::StringPtr> rest;
};

int serve(const Arguments& arguments) {
  if (isWebSocketUrl(arguments.rest.back())) {
    return serveWebSockets(arguments.rest.back().slice(5), [](kj::Own<kj::WebSocket> socket) {
      auto vat = kj::heap<WebSocketVat>(kj::mv(socket));
      auto gone = vat->network.onDisconnect();
      return gone.attach(kj::mv(vat));
    });
  }
  auto io = kj::setupAsyncIo();
  kj::Maybe<kj::Own<kj::TlsContext>> tls;
  if (arguments.tls) tls = serverTls({arguments.rest[0], arguments.rest[1]});
  auto address = arguments.rest.back();
  auto receiver = io.provider->getNetwork().parseAddress(address).wait(io.waitScope)->listen();
  Connections connections(kj::mv(tls));
  auto serving = connections.serve(*receiver);
  auto colon = KJ_REQUIRE_NONNULL(address.findLast(':'));
  printf("listening on %.*s:%u\n", static_cast<int>(colon), address.cStr(), receiver->getPort());
  fflush(stdout);
  serving.wait(io.waitScope);
  return 0;
}

int checkOver(capnp::TwoPartyVatNetwork& network, kj::WaitScope& scope) {
  auto system = capnp::makeRpcClient(network);

  capnp::word memory[8] = {};
  capnp::MallocMessageBuilder id(memory);
  auto vat = id.initRoot<capnp::rpc::twoparty::VatId>();
  vat.setSide(capnp::rpc::twoparty::Side::SERVER);
  capnp::MallocMessageBuilder name;
  name.getRoot<capnp::AnyPointer>().setAs<capnp::Text>("torture");
  auto restored = system.restore(vat, name.getRoot<capnp::AnyPointer>().asReader());

  Checks checks(system.bootstrap(vat).castAs<Torture>(), kj::mv(restored), scope);
  checks.run();
  return 0;
}

int checkPeer(const Arguments& arguments) {
  auto io = kj::setupAsyncIo();
  if (isWebSocketUrl(arguments.rest.back())) {
    WebSocketConnection connection(io, arguments.rest.back());
    capnp::TwoPartyVatNetwork network(connection.getStream(), capnp::rpc::twoparty::Side::CLIENT);
    return checkOver(network, io.waitScope);
  }
  kj::Maybe<kj::Own<kj::TlsContext>> tls;
  if (arguments.tls) tls = clientTls(arguments.rest[0]);
  auto stream = connectTo(io, arguments.rest.back(), tls);
  capnp::TwoPartyVatNetwork network(*stream, capnp::rpc::twoparty::Side::CLIENT);
  return checkOver(network, io.waitScope);
}

}  // namespace

int main(int argc, char* argv[]) {
  Arguments arguments;
  for (int i = 2; i < argc; i++) {
    if (strcmp(argv[i], "--tls") == 0) arguments.tls = true;
    else arguments.rest.add(argv[i]);
  }
  kj::StringPtr role = argc > 1 ? argv[1] : "";
  if (role == "serve" && arguments.rest.size() == (arguments.tls ? 3 : 1)) return serve(arguments);
  if (role == "check" && arguments.rest.size() == (arguments.tls ? 2 : 1)) return checkPeer(arguments);
  fprintf(stderr, "usage: torture-peer serve [--tls CERT KEY] ADDRESS | check [--tls CA] ADDRESS\n");
  return 2;
}
