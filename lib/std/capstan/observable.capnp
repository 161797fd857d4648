# Values that come in the course of time, as capabilities: what rxjs and the like call observables. The types of values are
# pointer types: structs, lists, Text, Data, interfaces.
@0xe0c5634ff5344b7c;

interface Observable(T) {
  # Something that has values to tell.

  subscribe @0 (observer :Observer(T)) -> (subscription :Subscription);
  # From now on the observer is told. That ends when the subscription is released, and when the observable has completed or
  # failed.
}

interface Observer(T) {
  # Who is told. After `complete` or `error` nothing follows; an observer that is released without either was forgotten by the
  # observable, or lost with the connection to it.

  next @0 (value :T) -> stream;
  # The next value. What fails here unsubscribes.

  complete @1 ();
  # There will be no more.

  error @2 (error :Error);
  # There will be no more, because something has failed.
}

interface Subscription {
  unsubscribe @0 ();
  # Ends it now. Releasing the subscription has the same effect.
}

struct Error {
  reason @0 :Text;
  # For people.

  kind @1 :Kind;
  # How to react.

  code @2 :Text;
  # For programs; the receiver may not know it.

  enum Kind {
    # As `Exception.Type` of rpc.capnp.

    failed @0;
    overloaded @1;
    disconnected @2;
    unimplemented @3;
  }
}
