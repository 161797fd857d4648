// Values as text that this program and test/interop/message-dump.ts write alike: every bit of a value that a schema tells of,
// and the bits of AnyPointers as they lie in the message.
//
//   struct   ( INDEX=VALUE; ... ): null pointers are left out, and of a union all but the active member
//   list     [ VALUE, ... ]
//   Void v, Bool t or f, integers in decimal, floats as the hexadecimal digits of their bits, NaN as nan, enumerants as ordinals
//   Text     T BYTES : CONTENT; Data D HEX
//   null     null; a capability: cap
//   untyped  S HEX | POINTER, ... ; for structs, L SIZE : COUNT : CONTENT for lists

#pragma once

#include <capnp/any.h>
#include <capnp/dynamic.h>
#include <kj/vector.h>
#include <stdio.h>
#include <string.h>

namespace oracle {

using kj::uint;
using Out = kj::Vector<char>;

inline void put(Out& out, kj::StringPtr text) { out.addAll(text.asArray()); }

inline void putHex(Out& out, kj::ArrayPtr<const kj::byte> bytes) {
  static const char digits[] = "0123456789abcdef";
  for (auto byte : bytes) {
    out.add(digits[byte >> 4]);
    out.add(digits[byte & 15]);
  }
}

template <typename Bits, typename Float>
void putFloat(Out& out, Float value) {
  if (value != value) return put(out, "nan");
  Bits bits;
  memcpy(&bits, &value, sizeof(bits));
  char digits[20];
  snprintf(digits, sizeof(digits), "%0*llx", int(sizeof(bits) * 2), (unsigned long long)bits);
  put(out, digits);
}

inline void dumpUntyped(Out& out, capnp::AnyPointer::Reader pointer);

inline void dumpUntypedStruct(Out& out, capnp::AnyStruct::Reader value) {
  put(out, "S");
  putHex(out, value.getDataSection());
  put(out, "|");
  for (auto pointer : value.getPointerSection()) {
    dumpUntyped(out, pointer);
    put(out, ",");
  }
  put(out, ";");
}

inline void dumpUntypedList(Out& out, capnp::AnyList::Reader list) {
  uint count = list.size();
  put(out, kj::str("L", uint(list.getElementSize()), ":", count, ":"));
  switch (list.getElementSize()) {
    case capnp::ElementSize::VOID:
      break;
    case capnp::ElementSize::BIT:
      for (bool bit : list.as<capnp::List<bool>>()) put(out, bit ? "t" : "f");
      break;
    case capnp::ElementSize::POINTER:
      for (auto pointer : list.as<capnp::List<capnp::AnyPointer>>()) {
        dumpUntyped(out, pointer);
        put(out, ",");
      }
      break;
    case capnp::ElementSize::INLINE_COMPOSITE:
      for (auto element : list.as<capnp::List<capnp::AnyStruct>>()) dumpUntypedStruct(out, element);
      break;
    default:
      putHex(out, list.getRawBytes());
  }
  put(out, ";");
}

inline void dumpUntyped(Out& out, capnp::AnyPointer::Reader pointer) {
  switch (pointer.getPointerType()) {
    case capnp::PointerType::NULL_:
      return put(out, "null");
    case capnp::PointerType::STRUCT:
      return dumpUntypedStruct(out, pointer.getAs<capnp::AnyStruct>());
    case capnp::PointerType::LIST:
      return dumpUntypedList(out, pointer.getAs<capnp::AnyList>());
    case capnp::PointerType::CAPABILITY:
      return put(out, "cap");
  }
}

inline void dumpStruct(Out& out, capnp::DynamicStruct::Reader value);

// C++'s dynamic API does not give lists of AnyPointers, nor interfaces without a place for what they refer to.
inline bool isOfPointers(capnp::Type type) {
  return type.isList() ? isOfPointers(type.asList().getElementType()) : type.isAnyPointer() || type.isInterface();
}

inline capnp::List<capnp::AnyPointer>::Reader pointersOf(capnp::AnyPointer::Reader pointer) {
  auto reader = capnp::_::PointerHelpers<capnp::AnyPointer>::getInternalReader(pointer);
  return capnp::List<capnp::AnyPointer>::Reader(reader.getList(capnp::ElementSize::POINTER, nullptr));
}

inline void dumpOfPointers(Out& out, capnp::Type type, capnp::AnyPointer::Reader pointer) {
  if (type.isList()) {
    put(out, "[");
    for (auto element : pointersOf(pointer)) {
      dumpOfPointers(out, type.asList().getElementType(), element);
      put(out, ",");
    }
    put(out, "]");
  } else if (type.isAnyPointer()) {
    dumpUntyped(out, pointer);
  } else {
    auto kind = pointer.getPointerType();
    KJ_REQUIRE(kind == capnp::PointerType::NULL_ || kind == capnp::PointerType::CAPABILITY, "not a capability");
    put(out, kind == capnp::PointerType::NULL_ ? "null" : "cap");
  }
}

inline void dumpValue(Out& out, capnp::Type type, capnp::DynamicValue::Reader value) {
  switch (type.which()) {
    case capnp::schema::Type::VOID:
      return put(out, "v");
    case capnp::schema::Type::BOOL:
      return put(out, value.as<bool>() ? "t" : "f");
    case capnp::schema::Type::FLOAT32:
      return putFloat<uint32_t>(out, value.as<float>());
    case capnp::schema::Type::FLOAT64:
      return putFloat<uint64_t>(out, value.as<double>());
    case capnp::schema::Type::UINT8:
    case capnp::schema::Type::UINT16:
    case capnp::schema::Type::UINT32:
    case capnp::schema::Type::UINT64:
      return put(out, kj::str(value.as<uint64_t>()));
    case capnp::schema::Type::INT8:
    case capnp::schema::Type::INT16:
    case capnp::schema::Type::INT32:
    case capnp::schema::Type::INT64:
      return put(out, kj::str(value.as<int64_t>()));
    case capnp::schema::Type::ENUM:
      return put(out, kj::str(value.as<capnp::DynamicEnum>().getRaw()));
    case capnp::schema::Type::TEXT: {
      auto text = value.as<capnp::Text>();
      put(out, kj::str("T", text.size(), ":"));
      return put(out, text);
    }
    case capnp::schema::Type::DATA:
      put(out, "D");
      return putHex(out, value.as<capnp::Data>());
    case capnp::schema::Type::LIST:
      put(out, "[");
      for (auto element : value.as<capnp::DynamicList>()) {
        dumpValue(out, type.asList().getElementType(), element);
        put(out, ",");
      }
      return put(out, "]");
    case capnp::schema::Type::STRUCT:
      return dumpStruct(out, value.as<capnp::DynamicStruct>());
    case capnp::schema::Type::INTERFACE:
    case capnp::schema::Type::ANY_POINTER:
      KJ_UNREACHABLE;
  }
}

inline bool isPointer(capnp::Type type) {
  return type.isText() || type.isData() || type.isList() || type.isStruct() || type.isInterface() || type.isAnyPointer();
}

inline bool isActive(capnp::DynamicStruct::Reader value, capnp::StructSchema::Field field) {
  if (field.getProto().getDiscriminantValue() == capnp::schema::Field::NO_DISCRIMINANT) return true;
  KJ_IF_MAYBE(active, value.which()) return *active == field;
  return false;
}

inline void dumpField(Out& out, capnp::DynamicStruct::Reader value, capnp::StructSchema::Field field) {
  auto type = field.getType();
  bool isNull = field.getProto().isSlot() && isPointer(type) && !value.has(field, capnp::HasMode::NON_NULL);
  bool isMember = field.getProto().getDiscriminantValue() != capnp::schema::Field::NO_DISCRIMINANT;
  if (!isActive(value, field) || (isNull && !isMember)) return;
  put(out, kj::str(field.getIndex(), "="));
  if (isNull && (type.isStruct() || type.isInterface() || type.isAnyPointer())) put(out, "null");
  // What these lists hold by default is read from the schema: the dynamic API, which knows it, does not give them.
  else if (isNull && isOfPointers(type)) dumpOfPointers(out, type, field.getProto().getSlot().getDefaultValue().getList());
  else if (isOfPointers(type)) {
    auto pointers = value.as<capnp::AnyStruct>().getPointerSection();
    dumpOfPointers(out, type, pointers[field.getProto().getSlot().getOffset()]);
  } else dumpValue(out, type, value.get(field));
  put(out, ";");
}

inline void dumpStruct(Out& out, capnp::DynamicStruct::Reader value) {
  put(out, "(");
  for (auto field : value.getSchema().getFields()) dumpField(out, value, field);
  put(out, ")");
}

}  // namespace oracle
