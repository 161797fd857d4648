// Compiled, never run: see messages.ts.
import { type Pointers, type Scalars, Shape } from "../fixtures/generated/everything.capnp.ts";
import { exactly } from "./exactly.ts";

const area = (shape: Shape.Reader): number => {
  switch (shape.area.$which) {
    case "circle":
      return Math.PI * shape.area.circle ** 2;
    case "rectangle":
      return shape.area.rectangle.width * shape.area.rectangle.height;
    case "unknown":
      return Number.NaN;
  }
};

// @ts-expect-error: a member is missing
const incomplete = (shape: Shape.Reader): number => {
  switch (shape.area.$which) {
    case "circle":
      return shape.area.circle;
    case "rectangle":
      return shape.area.rectangle.width;
  }
};

export const reading = (shape: Shape.Reader): void => {
  exactly<number>()(area(shape) + incomplete(shape));
  exactly<"outline" | "fill" | "parts" | "hidden">()(shape.$which);
  exactly<"outline" | "fill" | "parts" | "hidden">()(shape.which());
  exactly<"circle" | "rectangle" | "unknown">()(shape.area.which());
  exactly<string>()(shape.name);
  if (shape.is("fill")) {
    exactly<Shape.Fill.Reader>()(shape.fill);
    exactly<string>()(shape.name);
    // @ts-expect-error: not the active member
    shape.parts;
  } else {
    // @ts-expect-error: neither is this one, here
    shape.fill;
  }
  if (shape.$which === "parts") for (const part of shape.parts) exactly<Shape.Reader>()(part);
  if (shape.$which === "hidden") exactly<null>()(shape.hidden);
  exactly<Shape.Fill.Reader>()(shape.get("fill"));
  // @ts-expect-error: which member is active is not known yet
  shape.fill;
  // @ts-expect-error: no member of this union
  shape.is("area");
  // @ts-expect-error: no member of this union
  shape.area.is("fill");
  // @ts-expect-error: no member of this union
  if (shape.$which === "square") return;
  // @ts-expect-error: the tag follows from the member that is set
  shape.$which = "fill";
};

export const building = (shape: Shape.Builder, reader: Shape.Reader, scalars: Scalars.Reader): void => {
  shape.outline = "red";
  shape.fill = { color: "red", opacity: 0.5 };
  shape.fill = Shape.Fill.opaque;
  shape.parts = [{ fill: { color: "red" } }, { hidden: null }];
  shape.hidden = null;
  shape.hidden = undefined;
  shape.area.circle = 5;
  shape.area = { circle: 5 };
  shape.area = { rectangle: { width: 1, height: 2 } };
  shape.area = reader.area;
  shape.area.init("rectangle").width = 5;
  shape.init("fill").color = "blue";
  shape.init("parts", 2)[1].name = "part";
  if (shape.area.is("rectangle")) exactly<number>()(shape.area.rectangle.width);
  const asReader: Shape.Reader = shape;
  exactly<number>()(area(asReader));
  // @ts-expect-error: which member is active is not known yet
  exactly<number>()(shape.area.circle);
  // @ts-expect-error: a value of another type
  shape.area.circle = "5";
  // @ts-expect-error: a union has one value
  shape.area = { circle: 5, unknown: null };
  // @ts-expect-error: no member of this union
  shape.area = { square: 5 };
  // @ts-expect-error: another struct
  shape.fill = scalars;
};

export const narrowing = (shape: Shape.Builder): void => {
  switch (shape.$which) {
    case "outline":
      exactly<"red" | "green" | "blue">()(shape.outline);
      shape.fill = { color: "red" };
      break;
    case "fill":
      exactly<Shape.Fill.Builder>()(shape.fill);
      shape.fill = { opacity: 1 };
      shape.fill.opacity = 1;
      // @ts-expect-error: not the active member
      shape.parts.length;
      break;
    case "parts":
      exactly<Shape.Builder | undefined>()(shape.parts.at(0));
      shape.parts.set(0, { hidden: null });
      break;
    case "hidden":
      exactly<null>()(shape.hidden);
  }
};

export const plain = (object: Shape.Object, pointers: Pointers.Object): void => {
  Shape.newMessage({ name: "a", fill: { color: "red" }, area: { circle: 1 } });
  Shape.newMessage({});
  Shape.newMessage(object);
  exactly<Shape.Fill.Object | null | undefined>()(object.fill);
  exactly<number | undefined>()(object.area.circle);
  if (object.fill !== undefined) exactly<undefined>()(object.parts);
  exactly<string | undefined>()(pointers.text);
  // @ts-expect-error: a union has one value
  Shape.newMessage({ fill: {}, hidden: null });
  // @ts-expect-error: a union has one value, also further down
  Shape.newMessage({ parts: [{ fill: {}, hidden: null }] });
  // @ts-expect-error: no member of the group
  Shape.newMessage({ area: { rectangle: { depth: 1 } } });
};
