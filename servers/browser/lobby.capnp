# What a page is given when it connects: everything else is asked of this, in the same breath.
@0xe1d7fbd0b7cdd3f4;

using Calculator = import "../calculator/calculator.capnp".Calculator;
using Chat = import "../chat/chat.capnp".Chat;

interface Lobby {
  calculator @0 () -> (calculator :Calculator);
  # The calculator of the command line's example.

  chat @1 () -> (chat :Chat);
  # Rooms, the same for all pages and for the chat's own clients.
}
