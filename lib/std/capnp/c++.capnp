# Annotations that the C++ code generator reads.
@0xbdf87d7bb8304e81;

$namespace("capnp::annotations");

annotation namespace(file): Text;
# The C++ namespace that the generated code is put into.

annotation name(field, enumerant, struct, enum, interface, method, param, group, union): Text;
# What the declaration is called in C++, where its own name will not do.

annotation allowCancellation @0xac7096ff8cfc9dce (interface, method, file) :Void;
# The server agrees that calls are dropped as soon as the caller cancels them.
