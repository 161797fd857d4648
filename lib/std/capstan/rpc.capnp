# What callers may know of methods.
@0xc9d3f7a1b2e4586d;

annotation idempotent @0xe7b0a7c0c5c2d8f1 (method, interface) :Void;
# Calling it twice does what calling it once does: a client may call it again when a connection was lost before it returned. On an
# interface it says so of every method that is declared there.
