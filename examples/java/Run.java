import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;
import org.iip.Engine;
import org.iip.EngineOptions;
import org.iip.Event;
import org.iip.Iip;
import org.iip.IipException;
import org.iip.Leaks;

/** An engine with one thread a loop, signals, statistics, and an end in order. */
final class Run {
    private static final int LISTEN = 1; // cookie of the listener
    private static final long HOUR_S = 3600;

    private enum What { FINISH, REPORT }

    final Options options;
    final Engine engine;
    final List<LoopThread> threads = new ArrayList<>();
    final Map<String, LongAdder> counts = new LinkedHashMap<>();
    boolean silent; // no line "ready"
    private final long began = System.nanoTime();
    private final BlockingQueue<What> told = new LinkedBlockingQueue<>();
    private final AtomicInteger ready = new AtomicInteger();
    private final AtomicInteger alive = new AtomicInteger();
    private volatile boolean failed;
    private long listener;

    /** Opens the engine; what is wrong with the flags ends the program with 2. */
    Run(Options options, String... countNames) {
        this.options = options;
        for (String name : countNames) {
            counts.put(name, new LongAdder());
        }
        check();
        engine = open();
        long loops = engine.info().getLoops();
        if (loops < options.loops) {
            System.err.printf("%s: --loops %d: the port has %d queues, going on with as many%n", options.program,
                options.loops, loops);
        }
    }

    // ---- the beginning ----

    private void check() {
        if (options.port == null) {
            options.port = "tap:iip0";
        }
        if (options.port.contains("clock=virtual")) {
            throw options.usage("port", options.port, "a virtual clock stands still here; use clock=real");
        }
        if (options.addresses.isEmpty()) {
            throw options.usage("addr", null,
                "missing; give our own address and prefix length, for example 10.0.0.2/24");
        }
        if (options.statsJson != null) {
            checkStats();
        }
    }

    /** What cannot be written at the end is said at the beginning. */
    private void checkStats() {
        String name = options.statsJson;
        if (name.isEmpty()) {
            throw options.usage("stats-json", name, "is empty; name a file");
        }
        try {
            Path file = Path.of(name + ".new");
            Files.writeString(file, "");
            Files.delete(file);
        } catch (NoSuchFileException e) {
            throw options.usage("stats-json", name, "No such file or directory");
        } catch (IOException e) {
            throw options.usage("stats-json", name, "cannot be written: " + e);
        }
    }

    private static String orNull(String separator, List<String> words) {
        return words.isEmpty() ? null : String.join(separator, words);
    }

    private Engine open() {
        EngineOptions open = new EngineOptions();
        open.setPort(options.port);
        open.setAddresses(String.join(" ", options.addresses));
        open.setRoutes(orNull(", ", options.routes));
        open.setTunables(orNull(",", options.tunables));
        open.setPcap(options.pcap);
        open.setLoops(options.loops);
        open.setCores(switch (options.model) {
            case "split" -> Iip.CORES_SPLIT;
            case "merge" -> Iip.CORES_MERGE;
            default -> Iip.CORES_UNIFIED;
        });
        try {
            return Iip.open(open);
        } catch (IipException e) {
            System.err.printf("%s: %s%n", options.program, e.getMessage().replaceFirst("^IIP_E_[A-Z_]+: ", ""));
            System.exit(2);
            throw e;
        }
    }

    /** Serves TCP on --listen, on all loops; the line "ready" comes when they do. */
    void listen() {
        listener = engine.listen(":" + options.listen, 1024, LISTEN);
    }

    /** Starts one thread a loop. */
    void start(Function<LoopThread, Worker> make) {
        int n = (int) engine.info().getLoops();
        alive.set(n);
        for (int i = 0; i < n; i++) {
            threads.add(new LoopThread(this, i, make));
        }
        threads.forEach(LoopThread::start);
    }

    // ---- for the loops ----

    double seconds() {
        return (System.nanoTime() - began) / 1e9;
    }

    void count(String name, long n) {
        counts.get(name).add(n);
    }

    /** One loop more serves. "ready 10.0.0.2:80": a script that started us may connect now. */
    void serves() {
        if (ready.incrementAndGet() < engine.info().getLoops() || silent) {
            return;
        }
        String host = options.addresses.get(0).split("[/ ,]")[0];
        System.out.printf("ready %s:%d%n", host.contains(":") ? "[" + host + "]" : host, options.listen);
        System.out.flush();
    }

    /** Each loop says for itself whether it took the engine's listener over. */
    boolean listens(Event event) {
        if (event.type() != Iip.EVENT_DONE || event.user() != LISTEN || event.src() != listener) {
            return false;
        }
        if (event.status() < 0) {
            fail("--listen: " + Iip.statusText(event.status()));
        } else {
            serves();
        }
        return true;
    }

    void fail(String why) {
        System.err.printf("%s: %s%n", options.program, why);
        failed = true;
        told.add(What.FINISH);
    }

    /** A thread has come to its end. */
    void ended() {
        if (alive.decrementAndGet() == 0) {
            told.add(What.FINISH);
        }
    }

    /** From any thread: all is done. */
    void over() {
        told.add(What.FINISH);
    }

    // ---- the end ----

    /** Until a signal, --duration or the end of all loops. */
    void await() throws InterruptedException {
        Signals.on("TERM", () -> told.add(What.FINISH));
        Signals.on("INT", () -> told.add(What.FINISH));
        Signals.on("USR1", () -> told.add(What.REPORT));
        double left = options.durationS;
        while (options.durationS == 0 || (left = options.durationS - seconds()) > 0) {
            long waitUs = options.durationS == 0 ? HOUR_S * 1_000_000 : (long) Math.ceil(left * 1e6);
            What what = told.poll(waitUs, TimeUnit.MICROSECONDS);
            if (what == What.FINISH) {
                return;
            } else if (what == What.REPORT) {
                save();
            }
        }
    }

    Stats stats() throws InterruptedException {
        Stats sum = new Stats();
        for (LoopThread thread : threads) {
            sum.add(thread.stats());
        }
        return sum;
    }

    /** The file of --stats-json, whole: a temporary name beside it, which is renamed then. */
    private void save() throws InterruptedException {
        if (options.statsJson == null) {
            return;
        }
        try {
            Path file = Path.of(options.statsJson + ".new");
            Files.writeString(file, stats().json(this));
            Files.move(file, Path.of(options.statsJson), StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            System.err.printf("%s: --stats-json %s: %s%n", options.program, options.statsJson, e);
        }
    }

    /** All loops come to their end: connections are closed, counters stand still then. */
    void stop() throws InterruptedException {
        threads.forEach(LoopThread::finish);
        for (LoopThread thread : threads) {
            thread.join();
        }
        save();
    }

    /** Closes the engine; whether nothing failed and nothing leaked. */
    boolean close() {
        engine.close();
        Leaks leaks = engine.leaks();
        if (leaks.getBufs() + leaks.getConns() > 0) {
            System.err.printf("%s: not given back: %d buffers, %d connections%n", options.program, leaks.getBufs(),
                leaks.getConns());
        }
        return !failed && leaks.getBufs() + leaks.getConns() == 0;
    }

    /** All of it, for a program that serves; does not return. */
    void serve(Function<LoopThread, Worker> make) throws InterruptedException {
        start(make);
        await();
        stop();
        System.exit(close() ? 0 : 1);
    }
}
