// restore-peer names|structs HOST:PORT          serves until it is killed; prints `listening on HOST:PORT`
// restore-peer import|restore HOST:PORT NAME... asks for capabilities; prints a line for each
//
// Restores capabilities by object id, as C++ did before there were bootstrap interfaces: by name (EzRpcServer::exportCap)
// and by struct (SturdyRefRestorer).

#include <capnp/ez-rpc.h>
#include <capnp/message.h>
#include <capnp/rpc-twoparty.h>
#include <kj/main.h>
#include <stdio.h>

#include "restore.capnp.h"

namespace {

class NamedImpl final : public Named::Server {
public:
  explicit NamedImpl(kj::StringPtr text) : text(kj::heapString(text)) {}

  kj::Promise<void> name(NameContext context) override {
    context.getResults().setText(text);
    return kj::READY_NOW;
  }

  kj::Promise<void> child(ChildContext context) override {
    context.getResults().setNamed(kj::heap<NamedImpl>(kj::str(text, "'s child")));
    return kj::READY_NOW;
  }

private:
  kj::String text;
};

class StructRestorer final : public capnp::SturdyRefRestorer<ObjectId> {
public:
  capnp::Capability::Client restore(ObjectId::Reader id) override {
    KJ_REQUIRE(id.getTag() != "unknown", "no such object");
    return Named::Client(kj::heap<NamedImpl>(kj::str("struct ", id.getTag())));
  }
};

void printListening(kj::StringPtr address, unsigned port) {
  auto colon = KJ_REQUIRE_NONNULL(address.findLast(':'), "the address needs a port", address);
  printf("listening on %.*s:%u\n", (int)colon, address.cStr(), port);
  fflush(stdout);
}

// What is pipelined on the capability is sent before it is there.
void printName(Named::Client named, kj::WaitScope& waitScope) {
  auto childName = named.childRequest().send().getNamed().nameRequest().send();
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() {
    auto name = named.nameRequest().send().wait(waitScope);
    auto child = childName.wait(waitScope);
    printf("%s, %s\n", name.getText().cStr(), child.getText().cStr());
  })) {
    printf("failed: %s\n", exception->getDescription().cStr());
  }
  fflush(stdout);
}

class PeerMain {
public:
  explicit PeerMain(kj::ProcessContext& context) : context(context) {}

  kj::MainFunc getMain() {
    return kj::MainBuilder(context, "restore-peer", "Restores capabilities by object id.")
        .expectOneOrMoreArgs("ROLE HOST:PORT [NAME...]", KJ_BIND_METHOD(*this, addArgument))
        .callAfterParsing(KJ_BIND_METHOD(*this, run))
        .build();
  }

private:
  kj::ProcessContext& context;
  kj::Vector<kj::StringPtr> arguments;

  kj::MainBuilder::Validity addArgument(kj::StringPtr argument) {
    arguments.add(argument);
    return true;
  }

  kj::MainBuilder::Validity run() {
    if (arguments.size() < 2) return kj::str("expected ROLE HOST:PORT [NAME...]");
    kj::StringPtr role = arguments[0];
    kj::StringPtr address = arguments[1];
    auto names = arguments.slice(2, arguments.size());
    if (role == "names") {
      serveNames(address);
    } else if (role == "structs") {
      serveStructs(address);
    } else if (role == "import") {
      importNames(address, names);
    } else if (role == "restore") {
      restoreStructs(address, names);
    } else {
      return kj::str("unknown role: ", role);
    }
    return true;
  }

  void serveNames(kj::StringPtr address) {
    capnp::EzRpcServer server(kj::heap<NamedImpl>("main"), address);
    server.exportCap("calculator", kj::heap<NamedImpl>("named calculator"));
    printListening(address, server.getPort().wait(server.getWaitScope()));
    kj::Promise<void>(kj::NEVER_DONE).wait(server.getWaitScope());
  }

  void serveStructs(kj::StringPtr address) {
    auto io = kj::setupAsyncIo();
    auto receiver = io.provider->getNetwork().parseAddress(address).wait(io.waitScope)->listen();
    printListening(address, receiver->getPort());
    StructRestorer restorer;
    for (;;) {
      auto stream = receiver->accept().wait(io.waitScope);
      capnp::TwoPartyVatNetwork network(*stream, capnp::rpc::twoparty::Side::SERVER);
      auto system = capnp::makeRpcServer(network, restorer);
      network.onDisconnect().wait(io.waitScope);
    }
  }

  void importNames(kj::StringPtr address, kj::ArrayPtr<const kj::StringPtr> names) {
    capnp::EzRpcClient client(address);
    for (auto name : names) {
      auto cap = name == "" ? client.getMain() : client.importCap(name);
      printName(cap.castAs<Named>(), client.getWaitScope());
    }
  }

  void restoreStructs(kj::StringPtr address, kj::ArrayPtr<const kj::StringPtr> tags) {
    auto io = kj::setupAsyncIo();
    auto stream = io.provider->getNetwork().parseAddress(address).wait(io.waitScope)->connect().wait(io.waitScope);
    capnp::TwoPartyVatNetwork network(*stream, capnp::rpc::twoparty::Side::CLIENT);
    auto system = capnp::makeRpcClient(network);
    for (auto tag : tags) {
      capnp::MallocMessageBuilder hostMessage;
      auto host = hostMessage.initRoot<capnp::rpc::twoparty::VatId>();
      host.setSide(capnp::rpc::twoparty::Side::SERVER);
      capnp::MallocMessageBuilder idMessage;
      auto id = idMessage.initRoot<capnp::AnyPointer>();
      id.initAs<ObjectId>().setTag(tag);
      printName(system.restore(host, id.asReader()).castAs<Named>(), io.waitScope);
    }
  }
};

}  // namespace

KJ_MAIN(PeerMain)
