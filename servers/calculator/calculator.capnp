# A calculator whose values and functions are objects: results stay on the server until they are read, and both sides
# can lend each other functions.
@0x85150b117366d14b;

interface Calculator {
  evaluate @0 (expression :Expression) -> (value :Value);
  # Evaluates `expression`. The result is a reference, so that it can serve in further expressions without a round trip.

  struct Expression {
    # A tree of numbers, references and function calls.

    union {
      literal @0 :Float64;
      # The number itself.

      previousResult @1 :Value;
      # The value of an earlier evaluation, even of one that has not returned yet.

      parameter @2 :UInt32;
      # Inside the body of a defined function: its parameter at this index, from 0.

      call :group {
        # The result of `function`, called with the values of `params`.
        function @3 :Function;
        params @4 :List(Expression);
      }
    }
  }

  interface Value {
    # A number that lives on the server.

    read @0 () -> (value :Float64);
    # Fetches the number.
  }

  defFunction @1 (paramCount :Int32, body :Expression) -> (func :Function);
  # Makes a function of `paramCount` parameters that evaluates `body`.

  interface Function {
    # Something callable. Clients can implement it too, and the server then calls them back.

    call @0 (params :List(Float64)) -> (value :Float64);
    # Applies the function to `params`.
  }

  getOperator @2 (op :Operator) -> (func :Function);
  # Hands out an arithmetic operator as a function of two parameters.

  enum Operator {
    add @0;
    subtract @1;
    multiply @2;
    divide @3;
  }
}
