#pragma once

#include <capnp/rpc-twoparty.h>
#include <fcntl.h>
#include <kj/async-io.h>
#include <kj/compat/tls.h>
#include <kj/io.h>

// The two ends of a connection that both programs make, over TCP or over TLS.

inline kj::String readWholeFile(kj::StringPtr path) {
  int descriptor;
  KJ_SYSCALL(descriptor = open(path.cStr(), O_RDONLY | O_CLOEXEC), path);
  kj::FdInputStream stream{kj::AutoCloseFd(descriptor)};
  return stream.readAllText();
}

struct CertificateFiles {
  kj::StringPtr certificate;
  kj::StringPtr key;
};

inline kj::Own<kj::TlsContext> serverTls(CertificateFiles files) {
  kj::TlsKeypair keypair{kj::TlsPrivateKey(readWholeFile(files.key)),
                         kj::TlsCertificate(readWholeFile(files.certificate))};
  kj::TlsContext::Options options;
  options.defaultKeypair = keypair;
  return kj::heap<kj::TlsContext>(options);
}

inline kj::Own<kj::TlsContext> clientTls(kj::StringPtr authorityFile) {
  kj::TlsCertificate authority(readWholeFile(authorityFile));
  kj::TlsContext::Options options;
  options.useSystemTrustStore = false;
  options.trustedCertificates = kj::arrayPtr(&authority, 1);
  return kj::heap<kj::TlsContext>(options);
}

// Serves every connection for ever. A handshake that fails ends its own connection only: it is awaited apart from
// accept(), because TlsContext::wrapPort() would let one stalled peer hold up the next.
class Acceptor final : private kj::TaskSet::ErrorHandler {
public:
  Acceptor(capnp::Capability::Client bootstrap, kj::Maybe<kj::Own<kj::TlsContext>> tls)
      : server(kj::mv(bootstrap)), tls(kj::mv(tls)), handshakes(*this) {}

  kj::Promise<void> serve(kj::ConnectionReceiver& receiver) {
    return receiver.accept().then([this, &receiver](kj::Own<kj::AsyncIoStream>&& stream) {
      KJ_IF_MAYBE (context, tls) {
        handshakes.add((*context)->wrapServer(kj::mv(stream)).then([this](kj::Own<kj::AsyncIoStream>&& secured) {
          server.accept(kj::mv(secured));
        }));
      } else {
        server.accept(kj::mv(stream));
      }
      return serve(receiver);
    });
  }

private:
  capnp::TwoPartyServer server;
  kj::Maybe<kj::Own<kj::TlsContext>> tls;
  kj::TaskSet handshakes;

  void taskFailed(kj::Exception&& exception) override { KJ_LOG(WARNING, "TLS handshake failed", exception); }
};

// The certificate must name "localhost", whatever address leads there: kj checks host names only, not IP addresses.
inline kj::Own<kj::AsyncIoStream> connectTo(kj::AsyncIoContext& io, kj::StringPtr address,
                                            kj::Maybe<kj::Own<kj::TlsContext>>& tls) {
  auto stream = io.provider->getNetwork().parseAddress(address).wait(io.waitScope)->connect().wait(io.waitScope);
  KJ_IF_MAYBE (context, tls) {
    return (*context)->wrapClient(kj::mv(stream), "localhost").wait(io.waitScope);
  }
  return stream;
}
