// calculator-client [--expect-error] [--tls CA] HOST:PORT
//
// Uses a calculator in every way that the schema offers and prints a line for each result. Exits with 1 at the first
// wrong one. With --expect-error it asks for what must fail instead, and that the connection goes on.

#include <kj/main.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "calculator.capnp.h"
#include "endpoint.h"

namespace {

// 2^(4+5) needs it: the server calls back to this program.
class PowerFunction final : public Calculator::Function::Server {
public:
  kj::Promise<void> call(CallContext context) override {
    auto parameters = context.getParams().getParams();
    KJ_REQUIRE(parameters.size() == 2, "pow takes two parameters", parameters.size());
    context.getResults().setValue(pow(parameters[0], parameters[1]));
    return kj::READY_NOW;
  }
};

class FailingFunction final : public Calculator::Function::Server {
public:
  kj::Promise<void> call(CallContext context) override { KJ_FAIL_REQUIRE("this function fails on purpose"); }
};

class Session {
public:
  Session(Calculator::Client calculator, kj::WaitScope& waitScope)
      : calculator(kj::mv(calculator)), waitScope(waitScope) {}

  void calculate() {
    evaluateLiteral();
    addAndSubtract();
    reusePipelinedResult();
    defineFunctions();
    callBack();
  }

  void provokeErrors() {
    missingParameter();
    parameterOutsideFunction();
    unknownOperator();
    failingCallback();
    evaluateLiteral();
  }

private:
  Calculator::Client calculator;
  kj::WaitScope& waitScope;

  using Evaluation = capnp::RemotePromise<Calculator::EvaluateResults>;

  Calculator::Function::Client operatorFunction(Calculator::Operator op) {
    auto request = calculator.getOperatorRequest();
    request.setOp(op);
    return request.send().getFunc();
  }

  // Fills `expression` with a call of `function` and returns its parameters to be filled.
  static capnp::List<Calculator::Expression>::Builder fillCall(Calculator::Expression::Builder expression,
                                                               Calculator::Function::Client function, kj::uint count) {
    auto call = expression.initCall();
    call.setFunction(kj::mv(function));
    return call.initParams(count);
  }

  double readValue(Evaluation& evaluation) {
    return evaluation.getValue().readRequest().send().wait(waitScope).getValue();
  }

  void expectResult(kj::StringPtr step, double value, double expected) {
    printf("%s = %g\n", step.cStr(), value);
    KJ_REQUIRE(value == expected, "wrong result", step, value, expected);
  }

  void evaluateLiteral() {
    auto request = calculator.evaluateRequest();
    request.getExpression().setLiteral(123);
    auto evaluation = request.send();
    expectResult("literal 123", readValue(evaluation), 123);
  }

  // One round trip: operators, evaluation and reading are all pipelined.
  void addAndSubtract() {
    auto request = calculator.evaluateRequest();
    auto difference = fillCall(request.getExpression(), operatorFunction(Calculator::Operator::SUBTRACT), 2);
    auto sum = fillCall(difference[0], operatorFunction(Calculator::Operator::ADD), 2);
    sum[0].setLiteral(123);
    sum[1].setLiteral(45);
    difference[1].setLiteral(67);
    auto evaluation = request.send();
    expectResult("123 + 45 - 67", readValue(evaluation), 101);
  }

  // The product is used twice before it is known here.
  void reusePipelinedResult() {
    auto add = operatorFunction(Calculator::Operator::ADD);
    auto request = calculator.evaluateRequest();
    auto factors = fillCall(request.getExpression(), operatorFunction(Calculator::Operator::MULTIPLY), 2);
    factors[0].setLiteral(4);
    factors[1].setLiteral(6);
    auto product = request.send().getValue();

    auto plus = [&](double addend) {
      auto request = calculator.evaluateRequest();
      auto terms = fillCall(request.getExpression(), add, 2);
      terms[0].setPreviousResult(product);
      terms[1].setLiteral(addend);
      return request.send();
    };
    auto plusThree = plus(3);
    auto plusFive = plus(5);
    expectResult("4 * 6 + 3", readValue(plusThree), 27);
    expectResult("4 * 6 + 5", readValue(plusFive), 29);
  }

  // f(x, y) = x * 100 + y and g(x) = f(x, x + 1) * 2 live in the server.
  void defineFunctions() {
    auto add = operatorFunction(Calculator::Operator::ADD);
    auto multiply = operatorFunction(Calculator::Operator::MULTIPLY);

    auto defineF = calculator.defFunctionRequest();
    defineF.setParamCount(2);
    auto sum = fillCall(defineF.getBody(), add, 2);
    auto product = fillCall(sum[0], multiply, 2);
    product[0].setParameter(0);
    product[1].setLiteral(100);
    sum[1].setParameter(1);
    auto f = defineF.send().getFunc();

    auto defineG = calculator.defFunctionRequest();
    defineG.setParamCount(1);
    auto twice = fillCall(defineG.getBody(), multiply, 2);
    auto callF = fillCall(twice[0], f, 2);
    callF[0].setParameter(0);
    auto successor = fillCall(callF[1], add, 2);
    successor[0].setParameter(0);
    successor[1].setLiteral(1);
    twice[1].setLiteral(2);
    auto g = defineG.send().getFunc();

    auto evaluateF = calculator.evaluateRequest();
    auto fArguments = fillCall(evaluateF.getExpression(), f, 2);
    fArguments[0].setLiteral(12);
    fArguments[1].setLiteral(34);
    auto fResult = evaluateF.send();

    auto evaluateG = calculator.evaluateRequest();
    fillCall(evaluateG.getExpression(), g, 1)[0].setLiteral(21);
    auto gResult = evaluateG.send();

    expectResult("f(12, 34)", readValue(fResult), 1234);
    expectResult("g(21)", readValue(gResult), 4244);
  }

  void callBack() {
    auto request = calculator.evaluateRequest();
    auto power = fillCall(request.getExpression(), kj::heap<PowerFunction>(), 2);
    power[0].setLiteral(2);
    auto sum = fillCall(power[1], operatorFunction(Calculator::Operator::ADD), 2);
    sum[0].setLiteral(4);
    sum[1].setLiteral(5);
    auto evaluation = request.send();
    expectResult("pow(2, 4 + 5)", readValue(evaluation), 512);
  }

  // `cause` is text that the exception must carry across the wire; empty where the server chooses its own words.
  template <typename Promise>
  void expectFailure(kj::StringPtr step, Promise&& promise, kj::StringPtr cause = "") {
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { promise.wait(waitScope); })) {
      printf("%s: %s\n", step.cStr(), kj::str(exception->getType()).cStr());
      KJ_REQUIRE(exception->getType() == kj::Exception::Type::FAILED, "wrong type of exception", step, *exception);
      KJ_REQUIRE(strstr(exception->getDescription().cStr(), cause.cStr()) != nullptr,
                 "the exception lost its cause", step, cause, *exception);
    } else {
      KJ_FAIL_REQUIRE("nothing failed", step);
    }
  }

  void missingParameter() {
    auto define = calculator.defFunctionRequest();
    define.setParamCount(2);
    define.getBody().setParameter(1);
    auto request = define.send().getFunc().callRequest();
    request.initParams(1).set(0, 7);
    expectFailure("a call that lacks a parameter", request.send());
  }

  void parameterOutsideFunction() {
    auto request = calculator.evaluateRequest();
    request.getExpression().setParameter(0);
    expectFailure("a parameter outside a function", request.send());
  }

  void unknownOperator() {
    auto request = operatorFunction(static_cast<Calculator::Operator>(99)).callRequest();
    auto params = request.initParams(2);
    params.set(0, 1);
    params.set(1, 2);
    expectFailure("an operator that nobody knows", request.send());
  }

  void failingCallback() {
    auto request = calculator.evaluateRequest();
    fillCall(request.getExpression(), kj::heap<FailingFunction>(), 0);
    auto evaluation = request.send();
    expectFailure("a client's function that fails", evaluation.getValue().readRequest().send(),
                  "this function fails on purpose");
  }
};

class ClientMain {
public:
  explicit ClientMain(kj::ProcessContext& context) : context(context) {}

  kj::MainFunc getMain() {
    return kj::MainBuilder(context, "calculator-client", "Uses a calculator over TCP, or over TLS.")
        .addOptionWithArg({"tls"}, KJ_BIND_METHOD(*this, setAuthority), "CA",
                          "Use TLS and trust the authority in this PEM file alone.")
        .addOption({"expect-error"}, KJ_BIND_METHOD(*this, expectErrors), "Ask for what must fail.")
        .expectArg("HOST:PORT", KJ_BIND_METHOD(*this, setAddress))
        .callAfterParsing(KJ_BIND_METHOD(*this, run))
        .build();
  }

private:
  kj::ProcessContext& context;
  kj::StringPtr address;
  kj::Maybe<kj::StringPtr> authority;
  bool errors = false;

  kj::MainBuilder::Validity setAuthority(kj::StringPtr path) {
    authority = path;
    return true;
  }

  kj::MainBuilder::Validity expectErrors() {
    errors = true;
    return true;
  }

  kj::MainBuilder::Validity setAddress(kj::StringPtr argument) {
    address = argument;
    return true;
  }

  kj::MainBuilder::Validity run() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    auto tls = authority.map([](kj::StringPtr path) { return clientTls(path); });
    auto io = kj::setupAsyncIo();
    auto stream = connectTo(io, address, tls);
    capnp::TwoPartyClient connection(*stream);
    Session session(connection.bootstrap().castAs<Calculator>(), io.waitScope);
    if (errors) {
      session.provokeErrors();
    } else {
      session.calculate();
    }
    return true;
  }
};

}  // namespace

KJ_MAIN(ClientMain)
