@0xbf5147cbbecf40c2;

interface Greeter {
  greet @0 (name :Text) -> (greeting :Greeting);

  interface Greeting {
    text @0 () -> (text :Text);
  }
}
