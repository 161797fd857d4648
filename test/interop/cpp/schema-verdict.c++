// Says what the SchemaLoader of C++ thinks of pairs of schema versions.
//
// On stdin: CodeGeneratorRequests, framed, in pairs. For each pair, both are loaded into one SchemaLoader, node by node. On
// stdout one line for each pair: "first" where the first request is refused, "refused ID REASON" where a node of the second
// is, else "loaded" and the ids of the nodes of which the second's version is kept. To be told apart, the display names of
// the second's nodes begin with "2".

#include <capnp/schema-loader.h>
#include <capnp/schema.capnp.h>
#include <capnp/serialize.h>
#include <kj/exception.h>
#include <stdio.h>
#include <unistd.h>

namespace {

using capnp::schema::CodeGeneratorRequest;
using capnp::schema::Node;

capnp::ReaderOptions unlimited() {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 1ull << 40;
  options.nestingLimit = 2000;
  return options;
}

kj::String firstLine(kj::StringPtr text) {
  KJ_IF_MAYBE(end, text.findFirst('\n')) return kj::heapString(text.slice(0, *end));
  return kj::heapString(text);
}

bool load(capnp::SchemaLoader& loader, Node::Reader node, kj::String& reason) {
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { loader.load(node); })) {
    reason = firstLine(exception->getDescription());
    return false;
  }
  return true;
}

void judge(CodeGeneratorRequest::Reader first, CodeGeneratorRequest::Reader second) {
  capnp::SchemaLoader loader;
  kj::String reason;
  for (auto node : first.getNodes()) {
    if (load(loader, node, reason)) continue;
    printf("first %llx %s\n", (unsigned long long)node.getId(), reason.cStr());
    return;
  }
  for (auto node : second.getNodes()) {
    if (load(loader, node, reason)) continue;
    printf("refused %llx %s\n", (unsigned long long)node.getId(), reason.cStr());
    return;
  }
  printf("loaded");
  for (auto node : second.getNodes()) {
    auto kept = loader.get(node.getId()).getProto();
    if (kept.getDisplayName().startsWith("2")) printf(" %llx", (unsigned long long)node.getId());
  }
  printf("\n");
}

}  // namespace

int main() {
  kj::FdInputStream in(STDIN_FILENO);
  kj::BufferedInputStreamWrapper buffered(in);
  while (buffered.tryGetReadBuffer().size() > 0) {
    capnp::InputStreamMessageReader first(buffered, unlimited());
    // The first message's stream has to be read to its end before the second begins.
    capnp::MallocMessageBuilder firstCopy;
    firstCopy.setRoot(first.getRoot<CodeGeneratorRequest>());
    capnp::InputStreamMessageReader second(buffered, unlimited());
    judge(firstCopy.getRoot<CodeGeneratorRequest>().asReader(), second.getRoot<CodeGeneratorRequest>());
  }
  return 0;
}
