// calculator-server [--tls CERT KEY] HOST:PORT
//
// Serves the calculator until it is killed. Prints one line, `listening on HOST:PORT`, once it accepts connections;
// port 0 lets the system choose.

#include <capnp/message.h>
#include <kj/main.h>
#include <stdio.h>

#include "calculator.capnp.h"
#include "endpoint.h"

namespace {

using Parameters = kj::Maybe<capnp::List<double>::Reader>;

// `expression` and `parameters` must outlive the promise.
kj::Promise<double> evaluate(Calculator::Expression::Reader expression, Parameters parameters) {
  switch (expression.which()) {
    case Calculator::Expression::LITERAL:
      return expression.getLiteral();

    case Calculator::Expression::PREVIOUS_RESULT:
      return expression.getPreviousResult().readRequest().send().then(
          [](capnp::Response<Calculator::Value::ReadResults>&& results) { return results.getValue(); });

    case Calculator::Expression::PARAMETER: {
      auto index = expression.getParameter();
      KJ_IF_MAYBE (values, parameters) {
        KJ_REQUIRE(index < values->size(), "the expression uses a parameter that the call lacks", index,
                   values->size());
        return (*values)[index];
      }
      KJ_FAIL_REQUIRE("a parameter has a value inside a function body only", index);
    }

    case Calculator::Expression::CALL: {
      auto call = expression.getCall();
      auto function = call.getFunction();
      auto arguments = KJ_MAP(argument, call.getParams()) { return evaluate(argument, parameters); };
      return kj::joinPromises(kj::mv(arguments))
          .then([function = kj::mv(function)](kj::Array<double>&& values) mutable {
            auto request = function.callRequest();
            request.setParams(values.asPtr());
            return request.send();
          })
          .then([](capnp::Response<Calculator::Function::CallResults>&& results) { return results.getValue(); });
    }
  }
  KJ_FAIL_REQUIRE("an expression of an unknown kind", (kj::uint)expression.which());
}

class ValueImpl final : public Calculator::Value::Server {
public:
  explicit ValueImpl(double value) : value(value) {}

  kj::Promise<void> read(ReadContext context) override {
    context.getResults().setValue(value);
    return kj::READY_NOW;
  }

private:
  double value;
};

class DefinedFunction final : public Calculator::Function::Server {
public:
  DefinedFunction(kj::uint parameterCount, Calculator::Expression::Reader body) : parameterCount(parameterCount) {
    message.setRoot(body);
  }

  kj::Promise<void> call(CallContext context) override {
    auto parameters = context.getParams().getParams();
    KJ_REQUIRE(parameters.size() == parameterCount, "the function was called with the wrong number of parameters",
               parameterCount, parameters.size());
    auto body = message.getRoot<Calculator::Expression>().asReader();
    return evaluate(body, parameters).then([context](double value) mutable {
      context.getResults().setValue(value);
    });
  }

private:
  kj::uint parameterCount;
  capnp::MallocMessageBuilder message;
};

class OperatorFunction final : public Calculator::Function::Server {
public:
  explicit OperatorFunction(Calculator::Operator op) : op(op) {}

  kj::Promise<void> call(CallContext context) override {
    auto parameters = context.getParams().getParams();
    KJ_REQUIRE(parameters.size() == 2, "an operator takes two parameters", parameters.size());
    context.getResults().setValue(apply(parameters[0], parameters[1]));
    return kj::READY_NOW;
  }

private:
  Calculator::Operator op;

  double apply(double left, double right) {
    switch (op) {
      case Calculator::Operator::ADD:
        return left + right;
      case Calculator::Operator::SUBTRACT:
        return left - right;
      case Calculator::Operator::MULTIPLY:
        return left * right;
      case Calculator::Operator::DIVIDE:
        return left / right;
    }
    KJ_FAIL_REQUIRE("an unknown operator", (kj::uint)op);
  }
};

class CalculatorImpl final : public Calculator::Server {
public:
  kj::Promise<void> evaluate(EvaluateContext context) override {
    return ::evaluate(context.getParams().getExpression(), nullptr).then([context](double value) mutable {
      context.getResults().setValue(kj::heap<ValueImpl>(value));
    });
  }

  kj::Promise<void> defFunction(DefFunctionContext context) override {
    auto params = context.getParams();
    KJ_REQUIRE(params.getParamCount() >= 0, "a function cannot take fewer than no parameters",
               params.getParamCount());
    context.getResults().setFunc(kj::heap<DefinedFunction>(params.getParamCount(), params.getBody()));
    return kj::READY_NOW;
  }

  kj::Promise<void> getOperator(GetOperatorContext context) override {
    context.getResults().setFunc(kj::heap<OperatorFunction>(context.getParams().getOp()));
    return kj::READY_NOW;
  }
};

class ServerMain {
public:
  explicit ServerMain(kj::ProcessContext& context) : context(context) {}

  kj::MainFunc getMain() {
    return kj::MainBuilder(context, "calculator-server", "Serves the calculator over TCP, or over TLS.")
        .addOption({"tls"}, KJ_BIND_METHOD(*this, useTls), "Serve over TLS: CERT and KEY (PEM files) come first.")
        .expectOneOrMoreArgs("[CERT KEY] HOST:PORT", KJ_BIND_METHOD(*this, addArgument))
        .callAfterParsing(KJ_BIND_METHOD(*this, serve))
        .build();
  }

private:
  kj::ProcessContext& context;
  bool tls = false;
  kj::Vector<kj::StringPtr> arguments;

  kj::MainBuilder::Validity useTls() {
    tls = true;
    return true;
  }

  kj::MainBuilder::Validity addArgument(kj::StringPtr argument) {
    arguments.add(argument);
    return true;
  }

  kj::MainBuilder::Validity serve() {
    if (arguments.size() != (tls ? 3 : 1)) {
      return kj::str(tls ? "--tls takes CERT KEY HOST:PORT" : "expected HOST:PORT alone");
    }
    kj::StringPtr address = arguments.back();
    kj::Maybe<kj::Own<kj::TlsContext>> security;
    if (tls) security = serverTls({arguments[0], arguments[1]});

    auto io = kj::setupAsyncIo();
    auto receiver = io.provider->getNetwork().parseAddress(address).wait(io.waitScope)->listen();
    Acceptor acceptor(kj::heap<CalculatorImpl>(), kj::mv(security));
    auto serving = acceptor.serve(*receiver);

    auto colon = KJ_REQUIRE_NONNULL(address.findLast(':'), "the address needs a port", address);
    printf("listening on %.*s:%u\n", (int)colon, address.cStr(), receiver->getPort());
    fflush(stdout);
    serving.wait(io.waitScope);
    KJ_UNREACHABLE;
  }
};

}  // namespace

KJ_MAIN(ServerMain)
