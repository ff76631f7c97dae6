import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.iip.EngineOptions;
import org.iip.Event;
import org.iip.Iip;
import org.iip.IipException;
import org.iip.LoopStats;
import org.iip.View;

/** Received bytes: released once, by whomever, looked at as long as anybody can. */
final class BufferTest extends Harness {
    static void aBufferIsReleasedOnce() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Iip.send(ends[0], bytes("x"));
        Event event = data(sides, sides[1]);
        event.release();
        fails(Iip.E_STALE, event::release);
        fails(Iip.E_STALE, event::recv);
        fails(Iip.E_STALE, event::view);
        fails(Iip.E_STALE, () -> sides[1].loop.sendEvent(ends[1], event));
        close(sides);
    }

    static void aViewIsReadOnlyAndReleasedOnce() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Iip.send(ends[0], bytes("hello"));
        View view = data(sides, sides[1]).view();
        ByteBuffer bytes = view.bytes();
        check(bytes.isDirect() && bytes.isReadOnly() && bytes.remaining() == 5, bytes);
        check(StandardCharsets.UTF_8.decode(bytes).toString().equals("hello"), bytes);
        check(view.bytes().remaining() == 5, "each of them has a position of its own");
        try {
            bytes.put(0, (byte) 0);
            throw new AssertionError("it was written to");
        } catch (ReadOnlyBufferException e) {
            check(sides[1].loop.stats().getBufsHeld() == 1, "held");
        }
        view.close();
        view.close();
        sides[1].loop.turn(0, 0);
        check(sides[1].loop.stats().getBufsHeld() == 0, "given back");
        try {
            view.bytes();
            throw new AssertionError("a closed view has no bytes");
        } catch (IllegalStateException e) {
            close(sides);
        }
    }

    static void releaseFromOtherThreads() throws Exception {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        BlockingQueue<View> queue = new ArrayBlockingQueue<>(10_000);
        long[] seen = new long[2];
        Thread[] others = new Thread[2];
        for (int i = 0; i < 2; i++) {
            int me = i;
            others[i] = new Thread(() -> {
                try {
                    for (View view = queue.take(); ; view = queue.take()) {
                        ByteBuffer bytes = view.bytes();
                        if (bytes.get(0) == '!') {
                            view.close();
                            return;
                        }
                        seen[me] += bytes.remaining();
                        view.close();
                    }
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            others[i].start();
        }
        int total = 2_000_000;
        byte[] part = new byte[10_000];
        int[] sent = {0, 0};
        while (sent[1] < total) {
            if (sent[0] < total) {
                sent[0] += Iip.send(ends[0], part);
            }
            sides[0].loop.turn(0, 0);
            for (Event event : sides[1].loop.turn(50, 0)) {
                if (event.type() == Iip.EVENT_DATA) {
                    sent[1] += (int) event.len();
                    queue.add(event.view());
                }
            }
        }
        for (int i = 0; i < 2; i++) {
            Iip.send(ends[0], bytes("!"));
            queue.add(data(sides, sides[1]).view());
        }
        for (Thread other : others) {
            other.join();
        }
        check(seen[0] + seen[1] == sent[1], seen[0] + seen[1]);
        sides[1].loop.turn(0, 0);
        LoopStats stats = sides[1].loop.stats();
        check(stats.getBufsHeld() == 0, stats.getBufsHeld() + " held");
        check(stats.getForeignReleases() > 0, "releases from other threads");
        check(stats.getStaleHandles() == 0, stats.getStaleHandles() + " stale");
        close(sides);
    }

    /** The Cleaner gives back what was forgotten: events and views that nobody can reach. */
    static void theCleanerGivesBack() throws Exception {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Iip.send(ends[0], bytes("event"));
        check(data(sides, sides[1]) != null, "an event, forgotten at once");
        Iip.send(ends[0], bytes("view"));
        ByteBuffer[] slice = {data(sides, sides[1]).view().bytes().slice(1, 3)};
        collectUntil(() -> {
            sides[1].loop.turn(0, 0);
            return sides[1].loop.stats().getBufsHeld() == 1;
        });
        check(StandardCharsets.UTF_8.decode(slice[0].duplicate()).toString().equals("iew"), "a slice keeps the bytes");
        slice[0] = null;
        collectUntil(() -> {
            sides[1].loop.turn(0, 0);
            return sides[1].loop.stats().getBufsHeld() == 0;
        });
        close(sides);
    }

    static void anExhaustedPool() {
        pairs++;
        EngineOptions small = options("10.0.0.2/24");
        small.setFrames(512);
        small.setRing(64);
        small.setSpillBytes(65536);
        small.setTunables("tcp.rcvbuf=4000000");
        Side starved = new Side(small); // first: who opens later with another pool copies what it sends
        Side[] sides = {new Side(options("10.0.0.1/24")), starved};
        long[] ends = connect(sides, "10.0.0.2:7");
        List<View> kept = new ArrayList<>();
        int sent = 0;
        boolean low = false;
        for (int i = 0; i < 3000; i++) {
            sent += Iip.send(ends[0], new byte[10_000]);
            sides[0].loop.turn(0, 0);
            for (Event event : sides[1].loop.turn(0, 0)) {
                if (event.type() == Iip.EVENT_DATA) {
                    kept.add(event.view());
                }
            }
            low |= (sides[1].loop.state() & Iip.STATE_POOL_LOW) != 0;
        }
        check(low, "the pool never ran low");
        long[] got = {0};
        for (View view : kept) {
            got[0] += view.bytes().remaining();
            view.close();
        }
        long all = sent;
        run(sides, (event, side) -> {
            if (event.type() == Iip.EVENT_DATA) {
                got[0] += event.recv().length;
            }
            return got[0] == all ? got : null;
        });
        check(got[0] == all, got[0] + " of " + all);
        close(sides);
    }

    /** Of many threads that release the same buffer at once, one does; the others are told. */
    static void aStormOfDoubleReleases() throws Exception {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        AtomicInteger right = new AtomicInteger();
        AtomicInteger stale = new AtomicInteger();
        int rounds = 200;
        int width = 4;
        for (int i = 0; i < rounds; i++) {
            Iip.send(ends[0], bytes("x"));
            Event event = data(sides, sides[1]);
            long buf = i % 2 == 0 ? 0 : event.take();
            CountDownLatch gate = new CountDownLatch(1);
            Thread[] others = new Thread[width];
            for (int k = 0; k < width; k++) {
                others[k] = new Thread(() -> {
                    try {
                        gate.await();
                        right.addAndGet(buf == 0 ? event.release() + 1 : Iip.bufRelease(buf) + 1);
                    } catch (IipException e) {
                        stale.addAndGet(e.status() == Iip.E_STALE ? 1 : 1000);
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                });
                others[k].start();
            }
            gate.countDown();
            for (Thread other : others) {
                other.join();
            }
        }
        check(right.get() == rounds && stale.get() == rounds * (width - 1), right + " released, " + stale + " stale");
        sides[1].loop.turn(0, 0);
        check(sides[1].loop.stats().getBufsHeld() == 0, "held");
        close(sides);
    }

    /** A view may be closed while another thread reads a slice of it: the memory stays mapped. */
    static void readingWhileItIsClosed() throws Exception {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        for (int i = 0; i < 200; i++) {
            Iip.send(ends[0], new byte[1000]);
            View view = data(sides, sides[1]).view();
            ByteBuffer bytes = view.bytes();
            Thread reader = new Thread(() -> {
                for (int k = 0; k < bytes.limit(); k++) {
                    bytes.get(k);
                }
            });
            reader.start();
            view.close();
            reader.join();
        }
        close(sides);
    }

    /** Who may send while there is no buffer is not told of an error, but when there are some. */
    static void sendingWithoutBuffers() {
        pairs++;
        EngineOptions small = options("10.0.0.1/24");
        small.setFrames(512);
        small.setRing(64);
        Side[] sides = {new Side(small), new Side(options("10.0.0.2/24"))};
        long[] ends = connect(sides, "10.0.0.2:7");
        List<Long> taken = new ArrayList<>();
        try {
            while (true) {
                taken.add(sides[0].loop.buffer(bytes("x")));
            }
        } catch (IipException none) {
            check(none.status() == Iip.E_NOBUFS && taken.size() > 100, none + ", " + taken.size() + " taken");
        }
        check(Iip.send(ends[0], bytes("y")) == 0, "there was a buffer");
        taken.forEach(sides[0].loop::release);
        check(run(sides, (event, side) ->
            side == sides[0] && event.type() == Iip.EVENT_WRITABLE && event.src() == ends[0] ? event : null) != null,
            "WRITABLE");
        check(Iip.send(ends[0], bytes("y")) == 1, "sent");
        close(sides);
    }
}
