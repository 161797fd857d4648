# Capabilities that outlive the connection on which they were received.
@0xb8630836983feed7;

$import "/capnp/c++.capnp".namespace("capnp");

interface Persistent@0xc8cb212fcd9f5691(SturdyRef, Owner) {
  # What a capability implements besides its own interface if it can be saved. Both type parameters are up to the realm,
  # the set of vats that understand each other's references. Do not inherit it: cast to it.

  save @0 SaveParams -> SaveResults;
  # Makes a reference from which the same capability can be restored later, on another connection.

  struct SaveParams {
    sealFor @0 :Owner;
    # Who alone may restore the reference. What null means is up to the realm.
  }
  struct SaveResults {
    sturdyRef @0 :SturdyRef;
  }
}

annotation persistent(interface, field) :Void;
# Marks interfaces, and fields for capabilities, that support `Persistent.save`.
