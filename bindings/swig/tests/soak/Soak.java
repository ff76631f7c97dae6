import java.util.concurrent.atomic.AtomicBoolean;
import org.iip.Engine;
import org.iip.EngineOptions;
import org.iip.Iip;
import org.iip.IipException;
import org.iip.Leaks;
import org.iip.Loop;
import org.iip.LoopStats;

/**
 * Soak SECONDS CONNECTIONS SEED: connections come and go, other threads keep and release what they bring, explicitly
 * and through Cleaners. At the end all bytes were right when they were released, all arrived, and nothing is left.
 */
final class Soak {
    private static final long LIMIT_NS = 120_000_000_000L; // for what must come to its end
    private static final long COLLECT_MS = 100;

    private final int seconds;
    private final int connections;
    private final long seed;
    private final AtomicBoolean last = new AtomicBoolean();
    private final AtomicBoolean sent = new AtomicBoolean();
    private volatile Throwable failure;

    private Soak(String[] args) {
        seconds = Integer.parseInt(args[0]);
        connections = Integer.parseInt(args[1]);
        seed = Long.parseLong(args[2]);
    }

    private static Engine open(String address) {
        EngineOptions options = new EngineOptions();
        options.setPort("pair:soak");
        options.setAddresses(address);
        options.setFrames(32768);
        options.setRing(4096);
        return Iip.open(options);
    }

    private Thread thread(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setUncaughtExceptionHandler((t, e) -> {
            e.printStackTrace();
            failure = e;
        });
        thread.start();
        return thread;
    }

    private void send(Sender sender, Loop loop) {
        loop.attach();
        while (sender.turn(last.get()) || !last.get()) { }
        sent.set(true);
        loop.detach();
    }

    private void receive(Receiver receiver, Loop loop) {
        loop.attach();
        boolean busy = true;
        while (busy || !sent.get()) {
            busy = receiver.turn();
        }
        loop.detach();
    }

    /** The collector does not know that buffers are scarce, and Cleaners wait for it. */
    private static void collect() throws InterruptedException {
        System.gc();
        Thread.sleep(COLLECT_MS);
    }

    private void await(Thread thread) throws InterruptedException {
        long limit = System.nanoTime() + LIMIT_NS;
        while (thread.isAlive() && System.nanoTime() < limit) {
            collect();
        }
        if (thread.isAlive()) {
            throw new IllegalStateException("the " + thread.getName() + " does not come to its end");
        }
    }

    /** Turns the receiver's loop, so that releases of other threads are seen, until it holds no buffer. */
    private static LoopStats settle(Loop loop) throws InterruptedException {
        long limit = System.nanoTime() + LIMIT_NS;
        loop.attach();
        do {
            collect();
            loop.turn(0, 0);
        } while (loop.stats().getBufsHeld() > 0 && System.nanoTime() < limit);
        return loop.stats();
    }

    private boolean run() throws InterruptedException {
        Engine one = open("10.0.0.2/24");
        Engine two = open("10.0.0.1/24");
        Keepers keepers = new Keepers(seed);
        Loop in = one.loop(0);
        Loop out = two.loop(0);
        in.attach();
        Receiver receiver = new Receiver(in, keepers, seed + 1);
        in.detach();
        Sender sender = new Sender(out, connections, seed + 2);
        Thread receiving = thread("receiver", () -> receive(receiver, in));
        Thread sending = thread("sender", () -> send(sender, out));
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (System.nanoTime() < end && failure == null) {
            collect();
        }
        last.set(true);
        await(sending);
        await(receiving);
        keepers.end();
        LoopStats stats = settle(in);
        return report(keepers, sender, receiver, stats, leaks(one) + leaks(two) + stats.getBufsHeld());
    }

    /** What is left when an engine is closed; it does not close while a view is not released. */
    private static long leaks(Engine engine) {
        try {
            engine.close();
            Leaks leaks = engine.leaks();
            return leaks.getBufs() + leaks.getConns();
        } catch (IipException e) {
            System.err.println(e.getMessage());
            return 1;
        }
    }

    private boolean report(Keepers keepers, Sender sender, Receiver receiver, LoopStats stats, long leaks) {
        boolean exact = sender.sent.get() == receiver.received && receiver.received == keepers.bytes.get();
        boolean right = exact && leaks == 0 && keepers.stale.get() == 0 && sender.errors.isEmpty() && failure == null
            && stats.getStaleHandles() == 0 && receiver.releaseFailed == 0;
        sender.errors.stream().limit(5).forEach(System.err::println);
        System.out.printf("released by close %d, by a Cleaner %d; stale handles %d, failed releases %d%n",
            keepers.closed.get(), keepers.forgotten.get(), stats.getStaleHandles(), receiver.releaseFailed);
        System.out.printf("bytes sent %d, received %d, compared %d; errors %d%n", sender.sent.get(), receiver.received,
            keepers.bytes.get(), sender.errors.size());
        System.out.printf("soak: seconds=%d connections=%d opened=%d bytes=%d kept_max=%d stale=%d leaks=%d%n", seconds,
            connections, sender.opened.get(), receiver.received, keepers.keptMax.get(), keepers.stale.get(), leaks);
        return right;
    }

    public static void main(String[] args) throws InterruptedException {
        System.exit(new Soak(args).run() ? 0 : 1);
    }
}
