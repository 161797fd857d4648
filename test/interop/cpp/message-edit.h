// What this program and test/interop/message-edit.ts do alike to a message: to copy it field by field, and to change
// everything in it.

#pragma once

#include "message-dump.h"

namespace oracle {

using capnp::DynamicList;
using capnp::DynamicStruct;
using capnp::DynamicValue;

inline void buildStruct(DynamicStruct::Reader from, DynamicStruct::Builder to);

inline void buildList(DynamicList::Reader from, DynamicList::Builder to) {
  auto type = from.getSchema().getElementType();
  for (uint i = 0; i < from.size(); i++) {
    if (type.isStruct()) buildStruct(from[i].as<DynamicStruct>(), to[i].as<DynamicStruct>());
    else if (type.isList()) {
      auto inner = from[i].as<DynamicList>();
      buildList(inner, to.init(i, inner.size()).as<DynamicList>());
    } else to.set(i, from[i]);
  }
}

// Where the active member is one that the schema does not know, only its number can be told.
inline void copyUnknownTag(DynamicStruct::Reader from, DynamicStruct::Builder to) {
  auto proto = from.getSchema().getProto().getStruct();
  if (proto.getDiscriminantCount() == 0 || from.which() != nullptr) return;
  size_t at = proto.getDiscriminantOffset() * 2;
  memcpy(to.as<capnp::AnyStruct>().getDataSection().begin() + at,
      from.as<capnp::AnyStruct>().getDataSection().begin() + at, 2);
}

// Sets each field by itself, so that everything is allocated by the builder's own rules.
inline void buildStruct(DynamicStruct::Reader from, DynamicStruct::Builder to) {
  copyUnknownTag(from, to);
  for (auto field : from.getSchema().getFields()) {
    if (!isActive(from, field)) continue;
    auto type = field.getType();
    if (field.getProto().isGroup()) {
      buildStruct(from.get(field).as<DynamicStruct>(), to.init(field).as<DynamicStruct>());
    } else if (!isPointer(type)) {
      to.set(field, from.get(field));
    } else if (!from.has(field, capnp::HasMode::NON_NULL)) {
      to.clear(field);
    } else if (isOfPointers(type)) {
      // Through the pointers, after the tag of the union is set.
      to.clear(field);
      uint offset = field.getProto().getSlot().getOffset();
      to.as<capnp::AnyStruct>().getPointerSection()[offset].set(from.as<capnp::AnyStruct>().getPointerSection()[offset]);
    } else if (type.isStruct()) {
      auto value = from.get(field).as<DynamicStruct>();
      if (field.getIndex() % 2 == 0) {
        buildStruct(value, to.init(field).as<DynamicStruct>());
        continue;
      }
      // What is made before there is a pointer to it takes two more words where the pointer is in another segment.
      auto orphan = capnp::Orphanage::getForMessageContaining(to).newOrphan(type.asStruct());
      buildStruct(value, orphan.get());
      to.adopt(field, kj::mv(orphan));
    } else if (type.isList()) {
      auto list = from.get(field).as<DynamicList>();
      buildList(list, to.init(field, list.size()).as<DynamicList>());
    } else if (type.isText() && field.getIndex() % 2 == 1) {
      to.adopt(field, capnp::Orphanage::getForMessageContaining(to).newOrphanCopy(from.get(field).as<capnp::Text>()));
    } else {
      to.set(field, from.get(field));
    }
  }
}

inline void changeStruct(DynamicStruct::Builder value, uint depth, bool switches);

// Another value of a type that lies in no pointer; as it was for what has none.
inline DynamicValue::Reader changed(capnp::Type type, DynamicValue::Reader value) {
  switch (type.which()) {
    case capnp::schema::Type::BOOL:
      return !value.as<bool>();
    case capnp::schema::Type::FLOAT32:
    case capnp::schema::Type::FLOAT64:
      return 1.5;
    case capnp::schema::Type::UINT8:
    case capnp::schema::Type::UINT16:
    case capnp::schema::Type::UINT32:
    case capnp::schema::Type::UINT64:
      return value.as<uint64_t>() ^ 1;
    case capnp::schema::Type::INT8:
    case capnp::schema::Type::INT16:
    case capnp::schema::Type::INT32:
    case capnp::schema::Type::INT64:
      return value.as<int64_t>() ^ 1;
    case capnp::schema::Type::ENUM:
      return capnp::DynamicEnum(type.asEnum(), 0);
    case capnp::schema::Type::TEXT:
      return "edited";
    case capnp::schema::Type::DATA: {
      static const kj::byte bytes[] = {1, 2, 3};
      return capnp::Data::Reader(bytes, 3);
    }
    default:
      return value;
  }
}

inline void changeList(DynamicList::Builder list, uint depth, bool switches) {
  auto type = list.getSchema().getElementType();
  for (uint i = 0; i < list.size(); i++) {
    if (type.isStruct()) changeStruct(list[i].as<DynamicStruct>(), depth + 1, switches);
    else if (type.isList()) changeList(list[i].as<DynamicList>(), depth + 1, switches);
    else list.set(i, changed(type, list[i].asReader()));
  }
}

// Changes every value that is there. Structs that are not there are made where `depth` is 0. With `switches` the last member
// of each union becomes the active one first.
inline void changeStruct(DynamicStruct::Builder value, uint depth, bool switches) {
  auto members = value.getSchema().getUnionFields();
  if (switches && members.size() > 0) value.clear(members[members.size() - 1]);
  for (auto field : value.getSchema().getFields()) {
    if (!isActive(value.asReader(), field)) continue;
    auto type = field.getType();
    if (field.getProto().isGroup()) {
      changeStruct(value.get(field).as<DynamicStruct>(), depth, switches);
    } else if (type.isStruct()) {
      if (depth == 0 || value.has(field, capnp::HasMode::NON_NULL)) {
        changeStruct(value.get(field).as<DynamicStruct>(), depth + 1, switches);
      }
    } else if (isPointer(type) && !value.has(field, capnp::HasMode::NON_NULL)) {
      continue;
    } else if (isOfPointers(type)) {
      continue;
    } else if (type.isList()) {
      changeList(value.get(field).as<DynamicList>(), depth + 1, switches);
    } else if (type.isText() || type.isData()) {
      value.set(field, changed(type, capnp::VOID));
    } else {
      value.set(field, changed(type, value.get(field).asReader()));
    }
  }
}

}  // namespace oracle
