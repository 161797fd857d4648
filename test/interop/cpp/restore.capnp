@0xc6f8e9a9ab6a9a21;
# What restore-peer restores, and by what.

interface Named {
  name @0 () -> (text :Text);
  child @1 () -> (named :Named);
}

struct ObjectId {
  tag @0 :Text;
}
