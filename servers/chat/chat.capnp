# Rooms in which people talk: the server calls its clients, and notices when one of them is gone.
@0xf94208ba5eb8c562;

using Capstan = import "/capstan/rpc.capnp";

interface Chat {
  join @0 (room :Text, nick :Text, listener :Listener, secret :Data) -> (membership :Membership);
  # Enters a room, which is made where there is none of that name. Names have 1 to 32 letters, digits, ".", "_" and "-".
  #
  # A nick can be in a room once. Who comes again with the `secret` of whoever has it now, takes over: that is how a client
  # returns before the server has noticed that its connection is lost. Without a secret (up to 64 bytes) nobody can.

  rooms @1 () -> (rooms :List(Room)) $Capstan.idempotent;
  # Those in which somebody is.

  struct Room {
    name @0 :Text;
    people @1 :List(Text);
  }

  interface Membership {
    # One person's place in a room. It ends with `leave`, or when it is released, or when its connection is lost.

    say @0 (text :Text);
    # Returns when the room has it, which does not wait for anybody to hear it. Up to 2,000 characters.

    people @1 () -> (people :List(Text)) $Capstan.idempotent;
    # Who is in the room.

    leave @2 ();
    # Says goodbye.
  }

  interface Listener {
    # Made by the client.

    heard @0 (events :List(Event), missed :UInt32);
    # What has happened since the last call: in the first one the latest events of before, and that one has joined oneself. The next call
    # waits until this one has returned; who takes long gets much at once, and has missed what came before that. Who takes
    # longer than half a minute, or fails, is out.
  }

  struct Event {
    time @0 :Int64;
    # Milliseconds since 1970-01-01 UTC. No two events of a room have the same, and later ones have more.

    nick @1 :Text;
    # Whose doing it is.

    union {
      said @2 :Text;
      joined @3 :Void;
      left @4 :Void;
      lost @5 :Void;
      # Left without a goodbye: the connection is gone.
    }
  }
}
