# Work that keeps a processor busy, in as many threads as there are processors, behind one capability.
@0xfd325e400c253aed;

using Capstan = import "/capstan/rpc.capnp";

interface Compute {
  # What can be computed: by the pool as well as by each of its threads.

  countPrimes @0 (from :UInt32, to :UInt32) -> (count :UInt32) $Capstan.idempotent;
  # How many primes there are from `from` to before `to`. Asking again does no harm, so the pool does where a thread has crashed.

  paint @1 (view :View, to :Rows);
  # Gives the rows of a picture of the Mandelbrot set to `to`, from the top to the bottom.

  struct View {
    left @0 :Float64;
    top @1 :Float64;
    stepRight @2 :Float64;
    stepDown @3 :Float64;
    # From one point to the next.
    columns @4 :UInt16;
    firstRow @5 :UInt16;
    # Counted from `top`: who paints a picture in parts gets the same points as in one.
    rows @6 :UInt16;
    maxDepth @7 :UInt16 = 255;
    # How many steps a point has to leave the set.
  }

  interface Rows {
    row @0 (depths :List(UInt16)) -> stream;
    # For each point the steps in which it left; `maxDepth` where it did not.

    done @1 ();
  }
}

interface Pool extends(Compute) {
  status @0 () -> (threads :List(Status));

  struct Status {
    name @0 :Text;
    calls @1 :UInt32;
    # As the pool has given them to the thread.
    running @2 :UInt32;
    # As the thread itself says.
  }
}

interface Thread extends(Compute) {
  # What a thread is to its pool.

  running @0 () -> (calls :UInt32);
}
