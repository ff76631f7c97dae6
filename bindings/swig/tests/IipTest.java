import java.io.ByteArrayOutputStream;
import java.lang.ref.WeakReference;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.function.BiFunction;
import org.iip.Engine;
import org.iip.EngineOptions;
import org.iip.Event;
import org.iip.Iip;
import org.iip.IipException;
import org.iip.Leaks;
import org.iip.Loop;
import org.iip.LoopStats;
import org.iip.Op;
import org.iip.View;

/** The jar against itself, over pairs in memory and simulated wires. Each method without parameters is a test. */
final class IipTest {
    private static int pairs;

    /** One end of a pair, owned by the thread that made it. */
    private static final class Side implements AutoCloseable {
        final Engine engine;
        final Loop loop;

        Side(EngineOptions options) {
            engine = Iip.open(options);
            loop = engine.loop(0);
            loop.attach();
        }

        @Override
        public void close() {
            engine.close();
        }
    }

    private static EngineOptions options(String address) {
        EngineOptions options = new EngineOptions();
        options.setPort("pair:java" + pairs);
        options.setAddresses(address);
        return options;
    }

    private static Side[] pair() {
        pairs++;
        return new Side[] {new Side(options("10.0.0.1/24 fd00::1/64")), new Side(options("10.0.0.2/24 fd00::2/64"))};
    }

    private static void close(Side... sides) {
        for (Side side : sides) {
            side.close();
        }
    }

    /** Turns both ends until pick answers something for one event; null when nothing came for long. */
    private static <T> T run(Side[] sides, BiFunction<Event, Side, T> pick) {
        long limit = System.nanoTime() + 60_000_000_000L;
        while (System.nanoTime() < limit) {
            for (Side side : sides) {
                T found = null;
                for (Event event : side.loop.turn(100, 0)) {
                    if (found == null) {
                        found = pick.apply(event, side);
                    }
                }
                if (found != null) {
                    return found;
                }
            }
        }
        return null;
    }

    /** A connection: the handles of the client's and of the server's end. */
    private static long[] connect(Side[] sides, String where) {
        long[] ends = new long[2];
        sides[1].loop.listen(":7", 5);
        sides[0].loop.connect(where, 6);
        run(sides, (event, side) -> {
            switch (event.type()) {
                case Iip.EVENT_CONNECTED -> ends[0] = event.src();
                case Iip.EVENT_ACCEPT -> ends[1] = event.src();
                default -> { }
            }
            return ends[0] != 0 && ends[1] != 0 ? ends : null;
        });
        return ends;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** The next DATA event of a side. */
    private static Event data(Side[] sides, Side which) {
        return run(sides, (event, side) -> side == which && event.type() == Iip.EVENT_DATA ? event : null);
    }

    private static void check(boolean is, Object what) {
        if (!is) {
            throw new AssertionError(what);
        }
    }

    private static IipException fails(int status, Callable<?> call) {
        try {
            Object result = call.call();
            throw new AssertionError("it did not fail but returned " + result);
        } catch (IipException e) {
            check(e.status() == status, e);
            check(e.statusName().equals(Iip.statusName(status)) && e.errno() > 0, e.statusName());
            check(e.getMessage().startsWith(e.statusName() + ": "), e.getMessage());
            return e;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** Has garbage collected until what() holds. */
    private static void collectUntil(Callable<Boolean> what) throws Exception {
        long limit = System.nanoTime() + 60_000_000_000L;
        while (!what.call()) {
            check(System.nanoTime() < limit, "the collector does not come to it");
            System.gc();
            Thread.sleep(5);
        }
    }

    // ---- tests ----

    static void echoOverAPair() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        byte[] text = new byte[500];
        new Random(7).nextBytes(text);
        check(Iip.send(ends[0], text) == text.length, "taken");
        byte[] back = run(sides, (event, side) -> {
            if (event.type() != Iip.EVENT_DATA) {
                return null;
            }
            if (side == sides[0]) {
                return event.recv();
            }
            check(event.user() == 5 && event.len() == text.length, event.len());
            check(side.loop.sendEvent(event.src(), event) == 1, "the buffer itself goes back");
            fails(Iip.E_STALE, event::recv);
            return null;
        });
        check(Arrays.equals(back, text), "bytes");
        close(sides);
    }

    static void partialSends() {
        pairs++;
        EngineOptions small = options("10.0.0.1/24");
        small.setTunables("tcp.sndbuf=8192");
        Side[] sides = {new Side(small), new Side(options("10.0.0.2/24"))};
        long[] ends = connect(sides, "10.0.0.2:7");
        byte[] text = new byte[200_000];
        new Random(8).nextBytes(text);
        int[] sent = {Iip.send(ends[0], text), 0};
        check(sent[0] > 0 && sent[0] < text.length, sent[0]);
        ByteArrayOutputStream got = new ByteArrayOutputStream();
        run(sides, (event, side) -> {
            if (event.type() == Iip.EVENT_WRITABLE) {
                sent[0] += Iip.send(ends[0], Arrays.copyOfRange(text, sent[0], text.length));
                sent[1]++;
            } else if (event.type() == Iip.EVENT_DATA) {
                got.writeBytes(event.recv());
            }
            return got.size() == text.length ? got : null;
        });
        check(sent[1] > 1 && Arrays.equals(got.toByteArray(), text), sent[1]);
        close(sides);
    }

    static void staleAndForeignHandles() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        Iip.connAbort(ends[0]);
        int status = run(sides, (event, side) ->
            side == sides[0] && event.type() == Iip.EVENT_CLOSED ? (Integer) event.status() : null);
        check(status == Iip.E_ABORTED, status);
        for (long handle : new long[] {ends[0], 0, -1, 1L << 52 | 12345, Long.MAX_VALUE}) {
            fails(Iip.E_STALE, () -> Iip.send(handle, bytes("x")));
        }
        close(sides);
        fails(Iip.E_STALE, () -> Iip.send(ends[1], bytes("x")));
    }

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

    static void udpAndAddressesOfSix() {
        Side[] sides = pair();
        long to = sides[1].loop.udp(":53", 9);
        long from = sides[0].loop.udp("[fd00::1]:5300", 0);
        Iip.udpSend(from, "[fd00::2]:53", bytes("query"));
        Event event = run(sides, (e, side) -> e.type() == Iip.EVENT_UDP ? e : null);
        check(event.src() == to && event.user() == 9 && event.peerAddr().equals("[fd00::1]:5300"), event.peerAddr());
        check(event.localAddr().equals("[fd00::2]:53"), event.localAddr());
        check(new String(event.recv(), StandardCharsets.UTF_8).equals("query"), "bytes");
        long[] ends = connect(sides, "[fd00::2]:7");
        check(Iip.connInfo(ends[1]).localAddr().equals("[fd00::2]:7"), "local");
        check(Iip.connInfo(ends[1]).getState() == Iip.CONN_ESTABLISHED, "state");
        close(sides);
    }

    static void countersAndStatistics() {
        Side[] sides = pair();
        long[] ends = connect(sides, "10.0.0.2:7");
        LoopStats stats = sides[1].loop.stats();
        check(stats.getConns() == 1 && stats.getTurns() > 0 && stats.getRxPackets() > 0, stats.getRxPackets());
        check(sides[1].loop.counter("rx_packets") == stats.getRxPackets(), "counter");
        fails(Iip.E_NOT_FOUND, () -> sides[1].loop.counter("no_such_counter"));
        check(sides[1].loop.connAfter(0) == ends[1] && sides[1].loop.connAfter(ends[1]) == 0, "conns");
        check(sides[1].engine.info().getConns() == 1 && sides[1].engine.log() == null, "info");
        Iip.connSet(ends[0], Iip.OPT_NODELAY, 1);
        check(Iip.connGet(ends[0], Iip.OPT_NODELAY) == 1, "option");
        close(sides);
    }

    static void optionsAndArguments() {
        EngineOptions options = new EngineOptions();
        fails(Iip.E_INVAL, () -> Iip.open(options));
        fails(Iip.E_INVAL, () -> Iip.open(null));
        options.setPort("nosuch:x");
        check(fails(Iip.E_NO_DEVICE, () -> Iip.open(options)).getMessage().contains("nosuch"), "names the value");
        fails(Iip.E_INVAL, () -> options.setKey(new byte[3]));
        try {
            options.setMtu(-1);
            throw new AssertionError("-1 was taken");
        } catch (IllegalArgumentException e) {
            check(options.getMtu() == 0, "unchanged");
        }
        try {
            Iip.send(0, null);
            throw new AssertionError("null was taken");
        } catch (NullPointerException e) {
            fails(Iip.E_ABI, () -> Iip.abiRequire(99, 0));
        }
    }

    static void timersOnAVirtualClock() {
        EngineOptions options = new EngineOptions();
        options.setPort("sim:java,clock=virtual");
        options.setAddresses("10.0.0.1/24");
        Side side = new Side(options);
        long now = side.loop.now();
        long timer = side.loop.timer(1000, 77);
        side.loop.turn(0, Iip.TURN_DEADLINE);
        check(side.loop.deadline() == now + 1000, side.loop.deadline());
        check(side.engine.advance(1000) == now + 1000, "advanced");
        Event event = side.loop.turn(0, 0).get(0);
        check(event.type() == Iip.EVENT_TIMER && event.src() == timer && event.user() == 77, event.type());
        Op op = new Op();
        op.setCode(Iip.OP_SEND_COPY);
        fails(Iip.E_NOT_SUPPORTED, () -> side.loop.op(op));
        side.close();
    }

    /** The plug-in lies beside libiip in the jar; a port of it opens without hardware. */
    static void dpdkFromTheJar() {
        if (Iip.probe("port.dpdk") == 0) {
            return;
        }
        EngineOptions options = options("10.0.0.1/24");
        options.setPort("dpdk:net_null0");
        Side side = new Side(options);
        side.loop.turn(0, 0);
        check(side.loop.stats().getTurns() == 1, "a turn");
        side.close();
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

    public static void main(String[] args) {
        int failed = 0;
        Method[] methods = IipTest.class.getDeclaredMethods();
        Arrays.sort(methods, Comparator.comparing(Method::getName));
        for (Method method : methods) {
            if (method.isSynthetic() || method.getParameterCount() > 0 || method.getReturnType() != void.class
                    || args.length > 0 && !method.getName().contains(args[0])) {
                continue;
            }
            try {
                method.invoke(null);
                System.out.println(method.getName() + ": ok");
            } catch (ReflectiveOperationException e) {
                failed++;
                System.out.println(method.getName() + ": FAILED");
                e.getCause().printStackTrace(System.out);
            }
        }
        System.exit(failed == 0 ? 0 : 1);
    }
}
