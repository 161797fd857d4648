# The files of one folder, as capabilities: who has one of a file can do with it what that capability allows, and nothing else.
@0xe6f55c00e35155d5;

using import "/capnp/compat/byte-stream.capnp".ByteStream;
using Capstan = import "/capstan/rpc.capnp";

interface Store {
  # What everybody gets who connects.

  folder @0 () -> (folder :Folder);
  # All files, for the owner: who has shown a certificate.

  open @1 (link :Text) -> (file :File);
  # The file that somebody has shared.
}

interface Folder {
  list @0 () -> (files :List(Entry)) $Capstan.idempotent;

  open @1 (name :Text, mode :Mode) -> (file :File);
  # Names have up to 200 bytes, no slash or backslash, and do not begin with a dot. A file that is opened for reading must be
  # there.

  share @2 (name :Text) -> (link :Text, share :Share);
  # Lets everybody who has the link read the file, until the share is revoked or released.

  struct Entry {
    name @0 :Text;
    size @1 :UInt64;
    modified @2 :Int64;
    # Milliseconds since 1970-01-01 UTC.
  }

  enum Mode {
    read @0;
    write @1;
    # Reading, too.
  }
}

interface Share {
  revoke @0 ();
  # Cuts off all who use the link, in the middle of a download, too.
}

interface File {
  download @0 (to :ByteStream) -> (content :Content);
  # Returns when all bytes have been written to `to`, and taken there.

  upload @1 () -> (from :ByteStream, upload :Upload);
  # The bytes that are written to `from` become the file's when it is ended. Until then, and where it is released without
  # having been ended, the file stays as it was.

  remove @2 ();

  struct Content {
    size @0 :UInt64;
    sha256 @1 :Data;
  }

  interface Upload {
    stored @0 () -> (content :Content);
    # Returns when the file is on the disk.
  }
}
