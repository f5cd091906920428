#pragma once

namespace postern::bench {

// Makes handshakes cheaper for a process that does nothing but many of them as a client.
//
// OpenSSL 3.0 reads the public key of a certificate by asking all its providers which of them can,
// which takes longer than to verify a signature. Keys that an "engine" looks after are read in the
// old way instead; ours leaves all that follows to OpenSSL's own functions, but for the signature
// of a server with an elliptic key: of these one in sixteen is verified, since all of them come
// from the one program that is measured. A wrong one fails its handshake.
//
// Once a process. False if OpenSSL refuses.
bool simplify_key_checks();

}  // namespace postern::bench
