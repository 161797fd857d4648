#pragma once

#include <capnp/compat/websocket-rpc.h>
#include <capnp/rpc-twoparty.h>
#include <kj/compat/http.h>
#include <kj/compat/url.h>

#include "endpoint.h"

// The two ends of a connection over WebSocket, one message of Cap'n Proto to one binary message.

// Hands every WebSocket to `accept`, which is done with it when its promise is.
class WebSocketService final : public kj::HttpService {
public:
  using Accept = kj::Function<kj::Promise<void>(kj::Own<kj::WebSocket>)>;

  WebSocketService(kj::HttpHeaderTable& table, Accept accept) : headers(table), accept(kj::mv(accept)) {}

  kj::Promise<void> request(kj::HttpMethod, kj::StringPtr, const kj::HttpHeaders& asked, kj::AsyncInputStream&,
                            Response& response) override {
    if (!asked.isWebSocket()) return response.sendError(426, "Upgrade Required", headers);
    return accept(response.acceptWebSocket(headers));
  }

private:
  kj::HttpHeaders headers;
  Accept accept;
};

// Serves `ws://HOST:PORT/` for ever.
inline int serveWebSockets(kj::StringPtr address, WebSocketService::Accept accept) {
  auto io = kj::setupAsyncIo();
  kj::HttpHeaderTable::Builder builder;
  auto table = builder.build();
  WebSocketService service(*table, kj::mv(accept));
  kj::HttpServer server(io.provider->getTimer(), *table, service);
  auto receiver = io.provider->getNetwork().parseAddress(address).wait(io.waitScope)->listen();
  auto colon = KJ_REQUIRE_NONNULL(address.findLast(':'));
  printf("listening on %.*s:%u\n", static_cast<int>(colon), address.cStr(), receiver->getPort());
  fflush(stdout);
  server.listenHttp(*receiver).wait(io.waitScope);
  return 0;
}

// The masks of a client's frames have to be unforeseeable.
class Urandom final : public kj::EntropySource {
public:
  void generate(kj::ArrayPtr<kj::byte> buffer) override {
    int descriptor;
    KJ_SYSCALL(descriptor = open("/dev/urandom", O_RDONLY | O_CLOEXEC));
    kj::FdInputStream(kj::AutoCloseFd(descriptor)).read(buffer.begin(), buffer.size());
  }
};

inline bool isWebSocketUrl(kj::StringPtr address) { return address.startsWith("ws://"); }

// A connection to `ws://HOST:PORT/PATH`, with what it stands on.
class WebSocketConnection {
public:
  WebSocketConnection(kj::AsyncIoContext& io, kj::StringPtr url)
      : table(builder.build()),
        client(kj::newHttpClient(io.provider->getTimer(), *table, io.provider->getNetwork(), nullptr, settings(entropy))),
        socket(open(*client, *table, url, io.waitScope)),
        stream(*socket) {}

  capnp::MessageStream& getStream() { return stream; }

private:
  Urandom entropy;
  kj::HttpHeaderTable::Builder builder;
  kj::Own<kj::HttpHeaderTable> table;
  kj::Own<kj::HttpClient> client;
  kj::Own<kj::WebSocket> socket;
  capnp::WebSocketMessageStream stream;

  static kj::HttpClientSettings settings(kj::EntropySource& entropy) {
    kj::HttpClientSettings settings;
    settings.entropySource = entropy;
    return settings;
  }

  static kj::Own<kj::WebSocket> open(kj::HttpClient& client, kj::HttpHeaderTable& table, kj::StringPtr url,
                                     kj::WaitScope& scope) {
    // kj opens a WebSocket by a URL of HTTP.
    auto http = kj::str("http", url.slice(2));
    auto answer = client.openWebSocket(http, kj::HttpHeaders(table)).wait(scope);
    KJ_REQUIRE(answer.webSocketOrBody.is<kj::Own<kj::WebSocket>>(), "no WebSocket", answer.statusCode);
    return kj::mv(answer.webSocketOrBody.get<kj::Own<kj::WebSocket>>());
  }
};
