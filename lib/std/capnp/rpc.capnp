# The messages that two vats exchange. A level is a set of features: 0 a bootstrap interface only, 1 all that two vats need,
# 2 persistence, 3 handing capabilities to third parties, 4 joins.
@0xb312981b2552a250;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("capnp::rpc");

# The four tables of a connection. Each side chooses its questions and exports; its questions are the peer's answers and its
# exports are the peer's imports.

using QuestionId = UInt32;
# A call that the sender made. Free again when `Finish` has been sent and `Return` received.

using AnswerId = QuestionId;
# A call that the sender received.

using ExportId = UInt32;
# A capability that the sender hosts, or proxies, and has told the peer about. Counted: see `Release`.

using ImportId = ExportId;
# A capability that the peer exports.

struct Message {
  # What travels in one frame.

  union {
    unimplemented @0 :Message;
    # The peer's message, sent back by a vat that does not understand it.

    abort @1 :Exception;
    # The connection ends here because of something the peer sent. Nothing follows.

    bootstrap @8 :Bootstrap;
    call @2 :Call;
    return @3 :Return;
    finish @4 :Finish;

    resolve @5 :Resolve;
    release @6 :Release;
    disembargo @13 :Disembargo;

    obsoleteSave @7 :AnyPointer;
    # Was level 2; now the method `Persistent.save`.

    obsoleteDelete @9 :AnyPointer;
    # Was level 2.

    provide @10 :Provide;
    accept @11 :Accept;

    join @12 :Join;
  }
}

struct Bootstrap {
  # Asks for the peer's main capability. Answered like a call, and may be pipelined on at once.

  questionId @0 :QuestionId;

  deprecatedObjectId @1 :AnyPointer;
  # Which object, in the protocol of old versions; null asks for the main one.
}

struct Call {
  # Calls a method of a capability.

  questionId @0 :QuestionId;

  target @1 :MessageTarget;
  # Whose method.

  interfaceId @2 :UInt64;
  # The interface that declares the method; a capability may implement several.

  methodId @3 :UInt16;
  # The method's ordinal.

  allowThirdPartyTailCall @8 :Bool = false;
  # The caller understands `acceptFromThirdParty`.

  noPromisePipelining @9 :Bool = false;
  # A hint: nothing will be called on the promised results.

  onlyPromisePipeline @10 :Bool = false;
  # A hint: only calls on the promised results matter, and the `Return` may be left out.

  params @4 :Payload;

  sendResultsTo :union {
    # Where the results are wanted.

    caller @5 :Void;
    # With the `Return`.

    yourself @6 :Void;
    # At the callee, for a later `takeFromOtherQuestion`: a call that a tail call sends back.

    thirdParty @7 :RecipientId;
    # At a third vat. Level 3.
  }
}

struct Return {
  # Answers a call.

  answerId @0 :AnswerId;
  # The caller's question.

  releaseParamCaps @1 :Bool = true;
  # Each capability in the parameters counts as released once.

  noFinishNeeded @8 :Bool = false;
  # The answer is forgotten already; no `Finish` must follow. Only for results without capabilities.

  union {
    results @2 :Payload;

    exception @3 :Exception;

    canceled @4 :Void;
    # The caller finished the question before the call was done.

    resultsSentElsewhere @5 :Void;
    # They went where `sendResultsTo` said.

    takeFromOtherQuestion @6 :QuestionId;
    # The results are those of a call that the callee made to the caller with `sendResultsTo.yourself`.

    acceptFromThirdParty @7 :ThirdPartyCapId;
    # The results wait at a third vat. Level 3.
  }
}

struct Finish {
  # The caller needs the answer no longer. Before the `Return` this also asks to cancel the call.

  questionId @0 :QuestionId;

  releaseResultCaps @1 :Bool = true;
  # Each capability in the results counts as released once.

  requireEarlyCancellationWorkaround @2 :Bool = true;
  # Versions before 1.0 rely on a call being delivered before it is canceled. Newer ones send false.
}

struct Resolve {
  # Says what a promise that was sent as `senderPromise` has become.

  promiseId @0 :ExportId;

  union {
    cap @1 :CapDescriptor;
    # The capability, which the receiver must release even if it has released the promise.

    exception @2 :Exception;
    # The promise is broken.
  }
}

struct Release {
  # The receiver's export is referred to less often. At zero it is gone.

  id @0 :ImportId;

  referenceCount @1 :UInt32;
  # By how many.
}

struct Disembargo {
  # Travels the path of earlier calls and returns when all of them have arrived, so that calls on the shorter path that a
  # promise has resolved to cannot overtake them.

  target @0 :MessageTarget;
  # The promise, by its old path.

  using EmbargoId = UInt32;
  # Chosen by the sender of `senderLoopback`.

  context :union {
    senderLoopback @1 :EmbargoId;
    # Please send it back: `target` leads back to the sender.

    receiverLoopback @2 :EmbargoId;
    # Here it is back.

    accept @3 :Void;
    # For a capability that was accepted with an embargo. Level 3.

    provide @4 :QuestionId;
    # For one that was provided. Level 3.
  }
}

struct Provide {
  # Level 3: a third vat will come to fetch `target`. The `Return` comes when it has.

  questionId @0 :QuestionId;

  target @1 :MessageTarget;

  recipient @2 :RecipientId;
  # Who may fetch it.
}

struct Accept {
  # Level 3: fetches what was provided. The results' content is the capability.

  questionId @0 :QuestionId;

  provision @1 :ProvisionId;

  embargo @2 :Bool;
  # Hold calls on it until a `Disembargo` has arrived by the old path.
}

struct Join {
  # Level 4: proves that several capabilities are the same object, each by a part of one key.

  questionId @0 :QuestionId;

  target @1 :MessageTarget;

  keyPart @2 :JoinKeyPart;
}

struct MessageTarget {
  # Whom a message is for.

  union {
    importedCap @0 :ImportId;
    # One of the receiver's exports.

    promisedAnswer @1 :PromisedAnswer;
    # A capability in the results of a call that may still be under way.
  }
}

struct Payload {
  # Parameters or results, with the capabilities in them.

  content @0 :AnyPointer;

  capTable @1 :List(CapDescriptor);
  # What capability pointers in `content` are indexes into.
}

struct CapDescriptor {
  # How a capability travels.

  union {
    none @0 :Void;
    # A null capability.

    senderHosted @1 :ExportId;
    # Lives at the sender, or is proxied there. Each mention adds a reference.

    senderPromise @2 :ExportId;
    # The same, and a `Resolve` will follow.

    receiverHosted @3 :ImportId;
    # One of the receiver's own exports.

    receiverAnswer @4 :PromisedAnswer;
    # A capability in the results that the receiver has sent or will send.

    thirdPartyHosted @5 :ThirdPartyCapDescriptor;
    # Lives at a third vat. Level 3.
  }

  attachedFd @6 :UInt8 = 0xff;
  # Index of a file descriptor that came with the message; 0xff for none.
}

struct PromisedAnswer {
  # A place in the results of a call.

  questionId @0 :QuestionId;

  transform @1 :List(Op);
  # The way to the place, from the root.

  struct Op {
    union {
      noop @0 :Void;

      getPointerField @1 :UInt16;
      # Follow this pointer of the struct, counted within its pointer section.
    }
  }
}

struct ThirdPartyCapDescriptor {
  id @0 :ThirdPartyCapId;
  # Where to fetch the capability.

  vineId @1 :ExportId;
  # A proxy for it at the sender, for receivers below level 3, that also keeps it alive until it has been fetched.
}

struct Exception {
  reason @0 :Text;
  # For people.

  type @3 :Type;
  # For programs.

  enum Type {
    failed @0;
    # Trying again will not help.

    overloaded @1;
    # Trying again later may help.

    disconnected @2;
    # The way to the object is gone; connect again.

    unimplemented @3;
    # The object has no such method.
  }

  obsoleteIsCallersFault @1 :Bool;

  obsoleteDurability @2 :UInt16;

  trace @4 :Text;
  # Where it happened at the other end, if that tells.

  details @5 :List(Detail);
  # What else there is to know, for programs that know the ids.

  struct Detail {
    detailId @0 :UInt64;
    data @1 :Data;
  }
}

# Left open for each kind of network of vats to define.

using SturdyRef = AnyPointer;
# A reference that outlives the connection. Level 2.

using ProvisionId = AnyPointer;
# What to present to the host of a provided capability. Level 3.

using RecipientId = AnyPointer;
# Who may accept it. Level 3.

using ThirdPartyCapId = AnyPointer;
# How to reach the host, and what to present there. Level 3.

using JoinKeyPart = AnyPointer;
# One part of a join. Level 4.

using JoinResult = AnyPointer;
# What a join answers. Level 4.
