# Annotations that are read where a schema is used from TypeScript or JavaScript.
@0xfa6ec0a3031ab862;

annotation name @0xf484c469141ff118 (field, union, group, method, param) :Text;
# What the property or method is called there, where its own name will not do. Messages as text or JSON keep the name that
# the schema gives.
