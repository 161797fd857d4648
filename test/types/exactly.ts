/** Whether two types are the same, not only assignable to each other. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only where the value's type is exactly the one that is named: `exactly<string>()(person.name)`. */
export const exactly =
  <Expected>() =>
  <Actual>(value: Actual, ..._wrong: Same<Actual, Expected> extends true ? [] : [expected: Expected]): Actual =>
    value;
