import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.iip.Engine;
import org.iip.Event;
import org.iip.Iip;
import org.iip.IipException;
import org.iip.Leaks;
import org.iip.Op;
import org.iip.View;

/** Threads, processes, and the ends of engines. */
final class LifeTest extends Harness {
    static void anotherThread() throws Exception {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Throwable[] why = new Throwable[1];
        Thread other = new Thread(() -> {
            fails(Iip.E_WRONG_THREAD, () -> sides[0].loop.turn(0, 0));
            fails(Iip.E_WRONG_THREAD, () -> Iip.send(ends[0], bytes("x")));
            fails(Iip.E_BUSY, sides[0].loop::attach);
            fails(Iip.E_BUSY, () -> {
                sides[0].engine.close();
                return null;
            });
        });
        other.setUncaughtExceptionHandler((thread, e) -> why[0] = e);
        other.start();
        other.join();
        check(why[0] == null, why[0]);
        check(Iip.send(ends[0], bytes("x")) == 1, "the refused close changed nothing");
        sides[0].loop.detach();
        fails(Iip.E_WRONG_THREAD, () -> sides[0].loop.turn(0, 0));
        close(sides);
    }

    static void anotherThreadWakes() throws Exception {
        Side[] sides = pair();
        Thread other = new Thread(() -> {
            Op op = new Op();
            op.setCode(Iip.OP_NOP);
            op.setUser(42);
            op.setFlags(Iip.OP_REPLY);
            sides[0].loop.post(op);
        });
        while (sides[0].loop.turn(0, 0).count() > 0) { } // LINK
        other.start();
        Event event = null;
        while (event == null) {
            for (Event any : sides[0].loop.turn(-1, 0)) {
                event = any;
            }
        }
        check(event.type() == Iip.EVENT_DONE && event.user() == 42, event.type());
        other.join();
        close(sides);
    }

    static void closeRefusesWhileAViewIsNotClosed() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Iip.send(ends[0], bytes("x"));
        View view = data(sides, sides[1]).view();
        IipException e = fails(Iip.E_BUSY, () -> {
            sides[1].engine.close();
            return null;
        });
        check(e.getMessage().endsWith("1 views are not released"), e.getMessage());
        check(sides[1].engine.closed() == 0 && Iip.send(ends[1], bytes("y")) == 1, "it goes on");
        view.close();
        close(sides);
    }

    /** A ByteBuffer of a closed view can still be read, whatever the engine did: the memory waits for the collector. */
    static void closeWaitsForTheLastByteBuffer() throws Exception {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Iip.send(ends[0], bytes("x"));
        ByteBuffer[] kept = new ByteBuffer[1];
        try (View view = data(sides, sides[1]).view()) {
            kept[0] = view.bytes();
        }
        Engine engine = sides[1].engine;
        engine.close();
        check(engine.closed() == 1, engine.closed());
        check(run(new Side[] {sides[0]}, (event, side) -> event.type() == Iip.EVENT_CLOSED ? event : null).status()
            == Iip.E_RESET, "the peer sees the end at once");
        kept[0].get(0);
        fails(Iip.E_CLOSED, () -> sides[1].loop.turn(0, 0));
        fails(Iip.E_BUSY, engine::leaks);
        engine.close();
        kept[0] = null;
        collectUntil(() -> engine.closed() == 2);
        check(engine.leaks().getBufs() == 0, "leaks");
        sides[0].close();
    }

    static void closeWithWorkInFlight() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Iip.send(ends[0], new byte[5000]);
        Event event = data(sides, sides[1]);
        close(sides);
        Leaks leaks = sides[1].engine.leaks();
        check(leaks.getBufs() >= 1 && leaks.getConns() == 1, leaks.getBufs());
        fails(Iip.E_CLOSED, event::recv);
        fails(Iip.E_CLOSED, event::view);
        fails(Iip.E_CLOSED, () -> sides[1].loop.turn(0, 0));
        fails(Iip.E_CLOSED, sides[1].engine::info);
        sides[1].engine.close();
    }

    /** Objects are collected in whatever order; an engine that nobody names closes, and its name is free again. */
    static void theCleanerClosesWhatNobodyNames() throws Exception {
        WeakReference<Engine> gone = forgotten();
        collectUntil(() -> gone.get() == null);
        for (int i = 0; i < 100; i++) {
            System.gc();
            Thread.sleep(1);
        }
        pairs++;
        close(pair());
    }

    private static WeakReference<Engine> forgotten() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Iip.send(ends[0], bytes("x"));
        check(data(sides, sides[1]).view() != null, "a view");
        sides[0].loop.detach();
        sides[1].loop.detach();
        return new WeakReference<>(sides[1].engine);
    }

    /** Java does not fork for itself; what it starts works while an engine is open, and the engine goes on. */
    static void aChildProcessWorks() throws Exception {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String path = System.getProperty("java.class.path");
        Process child = new ProcessBuilder(java, "-cp", path, "IipTest", "echoOverAPair")
            .redirectErrorStream(true).start();
        String said = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        check(child.waitFor() == 0 && said.contains("echoOverAPair: ok"), said);
        check(Iip.send(ends[0], bytes("x")) == 1 && data(sides, sides[1]).recv().length == 1, "it goes on");
        close(sides);
    }

    /** What is queued, posted, kept and half sent when the engine goes is gone with it, and nothing waits for it. */
    static void closeWithQueuedAndPostedWork() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Op op = new Op();
        op.setCode(Iip.OP_SEND_COPY);
        op.setObj(ends[0]);
        sides[0].loop.queue(op, null, null, new byte[1000]);
        sides[0].loop.postWith(op, null, null, new byte[1000]);
        long buffer = sides[0].loop.buffer(bytes("never sent"));
        long region = sides[0].engine.region(new byte[1000]);
        close(sides);
        check(sides[0].engine.leaks().getRegions() == 1, "a region");
        fails(Iip.E_CLOSED, () -> sides[0].loop.queue(op, null, null, new byte[1]));
        fails(Iip.E_CLOSED, () -> sides[0].loop.postWith(op, null, null, new byte[1]));
        fails(Iip.E_CLOSED, () -> sides[0].engine.regionRemove(region));
        fails(Iip.E_STALE, () -> Iip.bufRelease(buffer));
    }
}
