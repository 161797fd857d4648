@0xbf5147cbbecf40c2;

interface Greeter {
  greet @0 (name :Text) -> (greeting :Greeting);

  interface Greeting {
    text @0 () -> (text :Text);
  }
}

struct Guest {
  name @0 :Text;
  friends @1 :List(Guest);
  anything @2 :AnyPointer;
}

const greetings :List(Text) = ["Hello", "Welcome"];
const guests :List(Guest) = [(name = "Alice")];
