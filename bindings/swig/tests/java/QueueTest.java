import java.nio.charset.StandardCharsets;
import org.iip.Engine;
import org.iip.Iip;
import org.iip.IipException;
import org.iip.Loop;
import org.iip.Op;

/** Operations that wait for their turn, registered memory, and sends of other threads. */
final class QueueTest extends Harness {
    private static Op op(int code, long obj) {
        Op op = new Op();
        op.setCode(code);
        op.setObj(obj);
        return op;
    }

    private static final byte[] NONE = {};

    /** Many operations in one turn, each with its own answer; a buffer made here; a second release counts as failed. */
    static void aTurnDoesWhatWasQueued() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Loop loop = sides[0].loop;
        check(loop.queue(op(Iip.OP_SEND_COPY, ends[0]), null, null, bytes("abc")) == 0, "the first");
        Op buffer = op(Iip.OP_SEND_BUF, ends[0]);
        buffer.setBuf(loop.buffer(bytes("defg")));
        buffer.setLen(4);
        check(loop.queue(buffer, null, null, NONE) == 1, "the second");
        loop.queue(op(Iip.OP_SHUTDOWN, 1L << 52 | 12345), null, null, NONE);
        loop.turn(0, 0);
        check(loop.done(0).getOut() == 3 && loop.done(1).getOut() == 4, "taken");
        check(loop.done(2).getStatus() == Iip.E_STALE, "a foreign handle");
        fails(Iip.E_RANGE, () -> loop.done(3));
        StringBuilder got = new StringBuilder();
        long[] buf = {0};
        run(sides, (event, side) -> {
            if (event.type() != Iip.EVENT_DATA) {
                return null;
            }
            got.append(new String(event.peek(), StandardCharsets.UTF_8));
            buf[0] = event.take();
            fails(Iip.E_STALE, event::peek);
            fails(Iip.E_STALE, event::take);
            sides[1].loop.release(buf[0]);
            return got.length() == 7 ? got : null;
        });
        check(got.toString().equals("abcdefg"), got);
        releasedOnce(sides[1].loop, buf[0]);
        close(sides);
    }

    private static void releasedOnce(Loop loop, long buf) {
        loop.turn(0, 0);
        check(loop.releaseFailed() == 0 && loop.stats().getBufsHeld() == 0, "released");
        loop.release(buf);
        loop.turn(0, 0);
        check(loop.releaseFailed() == 1, "a second time");
        fails(Iip.E_STALE, () -> Iip.bufRelease(buf));
        fails(Iip.E_STALE, () -> Iip.bufRetain(buf));
    }

    static void whatCannotBeQueued() {
        Side[] sides = pair();
        Loop loop = sides[0].loop;
        fails(Iip.E_RANGE, () -> loop.buffer(new byte[100_000]));
        fails(Iip.E_INVAL, () -> loop.queue(op(1000, 0), null, null, NONE));
        fails(Iip.E_INVAL, () -> loop.queue(op(Iip.OP_CONNECT, 0), null, "nonsense", NONE));
        int n = 0;
        try {
            for (; n < 1 << 20; n++) {
                loop.queue(op(Iip.OP_NOP, 0), null, null, NONE);
            }
            throw new AssertionError("a turn without end");
        } catch (IipException e) {
            check(e.status() == Iip.E_AGAIN && n > 0, e);
        }
        loop.turn(0, 0);
        loop.queue(op(Iip.OP_NOP, 0), null, null, NONE);
        loop.turn(0, 0);
        loop.detach();
        fails(Iip.E_WRONG_THREAD, () -> loop.queue(op(Iip.OP_NOP, 0), null, null, NONE));
        fails(Iip.E_WRONG_THREAD, () -> loop.release(1));
        fails(Iip.E_WRONG_THREAD, () -> loop.buffer(bytes("x")));
        loop.attach();
        close(sides);
    }

    /** Registered memory is the engine's: written by copy, sent without one, not removed while it is being sent. */
    static void regions() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Engine engine = sides[0].engine;
        long region = engine.region(".".repeat(1000).getBytes(StandardCharsets.UTF_8));
        engine.regionWrite(region, 990, bytes("0123456789"));
        fails(Iip.E_RANGE, () -> engine.regionWrite(region, 991, bytes("0123456789")));
        fails(Iip.E_INVAL, () -> engine.region(NONE));
        fails(Iip.E_STALE, () -> engine.regionRemove(region + 1));
        Op send = op(Iip.OP_SEND_EXTERN, ends[0]);
        send.setBuf(region);
        send.setArg(985);
        send.setLen(15);
        send.setUser(9);
        sides[0].loop.queue(send, null, null, NONE);
        sides[0].loop.turn(0, 0);
        check(sides[0].loop.done(0).getOut() == 15, "taken");
        fails(Iip.E_BUSY, () -> engine.regionRemove(region));
        byte[][] got = new byte[1][];
        run(sides, (event, side) -> {
            if (side == sides[1] && event.type() == Iip.EVENT_DATA) {
                got[0] = event.recv();
            }
            return side == sides[0] && event.type() == Iip.EVENT_TX_DONE && event.user() == 9 ? event : null;
        });
        check(new String(got[0], StandardCharsets.UTF_8).equals(".....0123456789"), new String(got[0]));
        engine.regionRemove(region);
        fails(Iip.E_STALE, () -> engine.regionRemove(region));
        fails(Iip.E_STALE, () -> engine.regionWrite(region, 0, bytes("x")));
        close(sides);
    }

    /** Other threads send; each send keeps its bytes until it is done, and says so, in the order of its thread. */
    static void postedSends() throws Exception {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        int width = 3;
        int each = 200;
        Thread[] others = new Thread[width];
        for (int k = 0; k < width; k++) {
            int me = k;
            others[k] = new Thread(() -> {
                Op send = op(Iip.OP_SEND_COPY, ends[0]);
                send.setUser(me);
                for (int i = 0; i < each; i++) {
                    post(sides[0].loop, send, bytes(String.format("%d%03d", me, i)));
                }
            });
            others[k].start();
        }
        StringBuilder got = new StringBuilder();
        int[] done = {0};
        run(sides, (event, side) -> {
            if (side == sides[1] && event.type() == Iip.EVENT_DATA) {
                got.append(new String(event.recv(), StandardCharsets.UTF_8));
            }
            if (event.type() == Iip.EVENT_DONE && event.status() == Iip.OK) {
                check(event.user() < width && event.value() == 4 && event.len() == Iip.OP_SEND_COPY, event.value());
                done[0]++;
            }
            return done[0] == width * each && got.length() == 4 * width * each ? got : null;
        });
        for (Thread other : others) {
            other.join();
        }
        inOrder(got.toString(), width, each);
        close(sides);
    }

    /** What may be posted at a time has a limit; the loop makes room. */
    private static void post(Loop loop, Op op, byte[] bytes) {
        while (true) {
            try {
                loop.postWith(op, null, null, bytes);
                return;
            } catch (IipException e) {
                check(e.status() == Iip.E_AGAIN, e);
                Thread.yield();
            }
        }
    }

    private static void inOrder(String got, int width, int each) {
        int[] next = new int[width];
        check(got.length() == 4 * width * each, got.length());
        for (int at = 0; at < got.length(); at += 4) {
            int who = got.charAt(at) - '0';
            check(Integer.parseInt(got.substring(at + 1, at + 4)) == next[who]++, got.substring(at, at + 4));
        }
    }
}
