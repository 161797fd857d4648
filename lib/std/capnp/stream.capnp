# What `-> stream` stands for.
@0x86c366a91393f3f8;

$import "/capnp/c++.capnp".namespace("capnp");

struct StreamResult @0x995f9a3377c0b16e {
  # The results of every streaming method. It is empty, and its id is how a method is known to be streaming: the caller
  # then waits only for room in the flow window.
}
