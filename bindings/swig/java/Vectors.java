import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import org.iip.Engine;
import org.iip.EngineOptions;
import org.iip.Event;
import org.iip.Events;
import org.iip.Iip;
import org.iip.IipException;
import org.iip.Leaks;
import org.iip.Loop;
import org.iip.Op;

/** Plays a vector (examples/vectors/README.md) and prints its trace: Vectors DIR FILE.vec; DIR takes the captures. */
final class Vectors {
    private static final int PUMP = 65536;
    private static final long START = 0xcbf29ce484222325L;
    private static final byte[] PATTERN = new byte[2 << 20];
    private static final String[] EVENTS = {
        "NONE", "ACCEPT", "CONNECTED", "DATA", "FIN", "WRITABLE", "URGENT", "ERROR", "CLOSED", "UDP", "UDP_ERROR",
        "TX_DONE", "TIMER", "DONE", "LINK"
    };

    static {
        for (int i = 0; i < PATTERN.length; i++) {
            PATTERN[i] = (byte) (i * 31 + (i >> 8) * 17);
        }
    }

    /** An operation, and what the words behind the object's name are; `makes`: it makes the object. */
    private record Verb(int code, String args, boolean makes) {}

    private static final Map<String, Verb> VERBS = Map.ofEntries(
        Map.entry("connect", new Verb(Iip.OP_CONNECT, "P", true)),
        Map.entry("listen", new Verb(Iip.OP_LISTEN, "LN", true)),
        Map.entry("udp", new Verb(Iip.OP_UDP_OPEN, "LP", true)),
        Map.entry("timer", new Verb(Iip.OP_TIMER, "A", true)),
        Map.entry("timerat", new Verb(Iip.OP_TIMER, "W", true)),
        Map.entry("send", new Verb(Iip.OP_SEND_COPY, "NS", false)),
        Map.entry("sendbuf", new Verb(Iip.OP_SEND_BUF, "N", false)),
        Map.entry("forward", new Verb(Iip.OP_SEND_BUF, "B", false)),
        Map.entry("extern", new Verb(Iip.OP_SEND_EXTERN, "RAN", false)),
        Map.entry("udpsend", new Verb(Iip.OP_UDP_SEND_COPY, "PN", false)),
        Map.entry("udpforward", new Verb(Iip.OP_UDP_SEND, "PB", false)),
        Map.entry("user", new Verb(Iip.OP_USER, "U", false)),
        Map.entry("credit", new Verb(Iip.OP_CREDIT, "N", false)),
        Map.entry("shutdown", new Verb(Iip.OP_SHUTDOWN, "", false)),
        Map.entry("close", new Verb(Iip.OP_CLOSE, "", false)),
        Map.entry("abort", new Verb(Iip.OP_ABORT, "", false)),
        Map.entry("cancel", new Verb(Iip.OP_CANCEL, "", false)),
        Map.entry("set", new Verb(Iip.OP_SET, "OA", false)),
        Map.entry("urgent", new Verb(Iip.OP_URGENT, "", false)));
    private static final Set<Integer> SENDS = Set.of(Iip.OP_SEND_BUF, Iip.OP_SEND_EXTERN, Iip.OP_SEND_COPY);

    /** What a vector has a name for. */
    private static final class Thing {
        final Player at;
        final String name;
        long handle;
        long rxHash = START;
        int tx;
        int goal;
        long rx;
        int children;
        boolean blocked;

        Thing(Player at, String name) {
            this.at = at;
            this.name = name;
        }
    }

    private record Held(long buf, int len) {}

    private record Pending(String line, Verb verb, Thing about, long len) {}

    /** The arguments of Loop.queue. */
    private record Work(Op op, String local, String peer, byte[] bytes) {}

    private final StringBuilder out = new StringBuilder();
    private final String directory;
    private final Map<String, Player> players = new LinkedHashMap<>();
    private final List<Thing> all = new ArrayList<>();
    private final Map<String, Thing> things = new HashMap<>();
    private final Map<Long, Thing> handles = new HashMap<>();
    private final List<Held> held = new ArrayList<>();

    private Vectors(String directory) {
        this.directory = directory;
    }

    // ---- what all of it needs ----

    private static long fnv(byte[] data, int length, long hash) {
        for (int i = 0; i < length; i++) {
            hash = (hash ^ (data[i] & 255)) * 0x100000001b3L;
        }
        return hash;
    }

    private static byte[] pattern(int from, long length) {
        return Arrays.copyOfRange(PATTERN, from, from + (int) length);
    }

    private void say(String format, Object... values) {
        out.append(String.format(format, values)).append('\n');
    }

    private static String statusOf(LongSupplier call) {
        try {
            call.getAsLong();
            return "IIP_OK";
        } catch (IipException e) {
            return e.statusName();
        }
    }

    private static int constant(String name) {
        try {
            return Iip.class.getField(name).getInt(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException("no such name: " + name, e);
        }
    }

    private Thing add(Player at, String name) {
        Thing about = new Thing(at, name);
        all.add(about);
        things.put(name, about);
        return about;
    }

    private void know(Thing about, long handle) {
        about.handle = handle;
        if (handle != 0) {
            handles.put(handle, about);
        }
    }

    private Held held(String word) {
        return held.get(Integer.parseInt(word.substring(1)));
    }

    /** One engine of a vector. */
    private final class Player {
        final String name;
        final Set<String> words;
        final Path pcap;
        Engine engine;
        private Loop loop;
        private long state;
        private List<Pending> pending = new ArrayList<>();

        Player(String[] w, String line) {
            name = w[1];
            words = Set.of(Arrays.copyOfRange(w, 4, w.length));
            pcap = Path.of(directory, name + ".pcap");
            String status = statusOf(() -> {
                engine = Iip.open(options(w));
                return 0;
            });
            say("> %s -> %s", line, status);
            if (engine != null) {
                loop = engine.loop(0);
                loop.attach();
            }
        }

        private EngineOptions options(String[] w) {
            EngineOptions options = new EngineOptions();
            byte[] key = new byte[16];
            Arrays.fill(key, (byte) name.charAt(0));
            options.setPort(w[2]);
            options.setAddresses(w[3]);
            options.setPcap(pcap.toString());
            options.setSeed(name.charAt(0));
            options.setKey(key);
            for (String word : words) {
                if (word.startsWith("spill=")) {
                    options.setSpillBytes(Long.parseLong(word.substring(6)));
                } else if (word.startsWith("tunables=")) {
                    options.setTunables(word.substring(9));
                }
            }
            return options;
        }

        // ---- operations ----

        private Work fill(Op op, String args, String[] words, Thing about) {
            String[] ends = {"", ""};
            byte[] bytes = {};
            for (int i = 0; i < Math.min(args.length(), words.length); i++) {
                String word = words[i];
                switch (args.charAt(i)) {
                    case 'L' -> ends[0] = word.equals("-") ? "" : word;
                    case 'P' -> ends[1] = word.equals("-") ? "" : word;
                    case 'N' -> op.setLen(Long.parseLong(word));
                    case 'A' -> op.setArg(Long.parseUnsignedLong(word));
                    case 'W' -> {
                        op.setArg(Long.parseUnsignedLong(word));
                        op.setFlags(Iip.OP_ABSOLUTE);
                    }
                    case 'U' -> op.setUser(Long.parseUnsignedLong(word));
                    case 'B' -> {
                        op.setBuf(held(word).buf);
                        op.setLen(held(word).len);
                    }
                    case 'R' -> op.setBuf(things.get(word).handle);
                    case 'O' -> op.setOffset(constant("OPT_" + word));
                    default -> op.setFlags(Iip.OP_SHUT);
                }
            }
            if (op.getCode() == Iip.OP_SEND_COPY) {
                bytes = pattern(about.tx, op.getLen());
            } else if (op.getCode() == Iip.OP_UDP_SEND_COPY) {
                bytes = pattern(0, op.getLen());
            }
            return new Work(op, ends[0], ends[1], bytes);
        }

        private Work work(String[] w, Verb verb, Thing about) {
            Op op = new Op();
            op.setCode(verb.code);
            if (verb.makes) {
                op.setUser(all.size());
            } else {
                op.setObj(about.handle);
            }
            Work work = fill(op, verb.args, Arrays.copyOfRange(w, 2, w.length), about);
            if (w[0].equals("sendbuf")) {
                op.setBuf(loop.buffer(pattern(about.tx, op.getLen())));
            }
            return work;
        }

        private Thing subject(String[] w, Verb verb) {
            return verb.makes ? add(this, w[1]) : things.get(w[1]);
        }

        void operation(String[] w, String line) {
            Verb verb = VERBS.get(w[0]);
            Thing about = subject(w, verb);
            Work work = work(w, verb, about);
            loop.queue(work.op, work.local, work.peer, work.bytes);
            pending.add(new Pending(line, verb, about, work.op.getLen()));
        }

        private void post(String[] w, String line) {
            Verb verb = VERBS.get(w[0]);
            Work work = work(w, verb, subject(w, verb));
            work.op.setFlags(Iip.OP_REPLY);
            say("> %s -> %s", line, statusOf(() -> loop.postWith(work.op, work.local, work.peer, work.bytes)));
        }

        private void tellOperation(int i, Pending p) {
            Op done = loop.done(i);
            long result = done.getOut();
            String tail = result != 0 && !p.verb.makes ? " " + Long.toUnsignedString(result) : "";
            say("> %s -> %s%s", p.line, Iip.statusName(done.getStatus()), tail);
            if (p.verb.makes) {
                know(p.about, result);
            }
            if (!SENDS.contains(p.verb.code)) {
                return;
            }
            p.about.tx += (int) result;
            p.about.blocked |= result < p.len;
            if (done.getStatus() < 0 && done.getStatus() != Iip.E_AGAIN) {
                p.about.goal = 0;
            }
        }

        // ---- a turn, and what it tells ----

        private Thing subject(Event event) {
            if (event.type() != Iip.EVENT_ACCEPT) {
                return handles.get(event.src());
            }
            Thing listener = handles.get(event.value());
            Thing about = add(this, listener.name + "." + ++listener.children);
            know(about, event.src());
            return about;
        }

        private void tellEvent(Event event, long now) {
            Thing about = subject(event);
            boolean has = event.buf() != 0;
            byte[] data = {};
            if (about != null && event.type() == Iip.EVENT_WRITABLE) {
                about.blocked = false;
            }
            if (has) {
                data = event.peek();
                about.rx += data.length;
                about.rxHash = fnv(data, data.length, about.rxHash);
                held.add(new Held(event.take(), data.length));
                if (!words.contains("hold")) {
                    loop.release(held.get(held.size() - 1).buf);
                }
                if (words.contains("mute")) {
                    return;
                }
            }
            out.append(String.format("%d %s %s %s %s", now, name, about == null ? "-" : about.name,
                EVENTS[event.type()], Iip.statusName(event.status())));
            word("user", event.user());
            word("flags", event.flags());
            word("len", event.len());
            if (has) {
                out.append(String.format(" hash=%016x buf=@%d", fnv(data, data.length, START), held.size() - 1));
            }
            boolean handle = event.type() == Iip.EVENT_ACCEPT || event.value() == event.src();
            word("value", handle ? 0 : event.value());
            String peer = event.peerAddr();
            say("%s", peer == null ? "" : " local=" + event.localAddr() + " peer=" + peer);
        }

        private void word(String key, long value) {
            if (value != 0) {
                out.append(' ').append(key).append('=').append(Long.toUnsignedString(value));
            }
        }

        private void pump() {
            for (Thing about : List.copyOf(all)) {
                if (about.at == this && about.goal > about.tx && !about.blocked) {
                    String n = Integer.toString(Math.min(PUMP, about.goal - about.tx));
                    operation(new String[] {"send", about.name, n}, name + " send " + about.name + " " + n);
                }
            }
        }

        /** Whether something happened. */
        boolean turn(long flags) {
            pump();
            List<Pending> asked = pending;
            pending = new ArrayList<>();
            Events events = loop.turn(0, flags);
            long now = loop.now();
            for (int i = 0; i < asked.size(); i++) {
                tellOperation(i, asked.get(i));
            }
            if (loop.releaseFailed() > 0) {
                say("%d %s release_failed=%d", now, name, loop.releaseFailed());
            }
            for (Event event : events) {
                tellEvent(event, now);
            }
            long is = loop.state() & ~Iip.STATE_MORE;
            if (is != state) {
                say("%d %s state=%d", now, name, is);
            }
            state = is;
            return !asked.isEmpty() || events.count() > 0 || loop.rxPackets() > 0
                || (loop.state() & Iip.STATE_MORE) != 0;
        }

        // ---- steps that are no operations ----

        private long atOnce(String[] w) {
            switch (w[0]) {
                case "inject":
                    return engine.inject(HexFormat.of().parseHex(w[1]));
                case "mtu":
                    return engine.mtuSet(Long.parseLong(w[1]));
                case "retain":
                    return Iip.bufRetain(held(w[1]).buf);
                case "free":
                    return Iip.bufRelease(held(w[1]).buf);
                case "listenall": {
                    Thing about = add(this, w[1]);
                    know(about, engine.listen(w[2], w.length > 3 ? Long.parseLong(w[3]) : 0, all.size()));
                    return 0;
                }
                case "unlistenall":
                    return engine.unlisten(things.get(w[1]).handle);
                case "attach":
                    return loop.attach();
                case "detach":
                    return loop.detach();
                case "region":
                    know(add(this, w[1]), engine.region(pattern(0, Long.parseLong(w[2]))));
                    return 0;
                case "unregion":
                    return engine.regionRemove(things.get(w[1]).handle);
                case "loopclose":
                    return loop.close();
                default:
                    throw new IllegalArgumentException("no such step: " + w[0]);
            }
        }

        void step(String[] w, String line) throws IOException {
            switch (w[0]) {
                case "post" -> post(Arrays.copyOfRange(w, 1, w.length), line);
                case "release" -> {
                    int last = Integer.parseInt(w[w.length - 1].substring(1));
                    for (int i = Integer.parseInt(w[1].substring(1)); i <= last; i++) {
                        loop.release(held.get(i).buf);
                    }
                }
                case "turn" -> turn(w.length > 1 ? Iip.TURN_FLUSH : 0);
                case "pump" -> things.get(w[1]).goal = Integer.parseInt(w[2]);
                case "count" -> say("> %s -> %d", line, loop.counter(w[1]));
                case "sum" -> {
                    Thing about = things.get(w[1]);
                    say("> %s -> rx=%d %016x tx=%d %016x", line, about.rx, about.rxHash, about.tx,
                        fnv(PATTERN, about.tx, START));
                }
                case "end" -> end(line);
                default -> {
                    if (VERBS.containsKey(w[0])) {
                        operation(w, line);
                    } else {
                        say("> %s -> %s", line, statusOf(() -> atOnce(w)));
                    }
                }
            }
        }

        void end(String line) throws IOException {
            engine.close();
            Leaks leaks = engine.leaks();
            engine = null;
            say("> %s -> IIP_OK bufs=%d conns=%d listeners=%d udps=%d timers=%d externs=%d regions=%d", line,
                leaks.getBufs(), leaks.getConns(), leaks.getListeners(), leaks.getUdps(), leaks.getTimers(),
                leaks.getExterns(), leaks.getRegions());
            frames();
        }

        private void frames() throws IOException {
            ByteBuffer capture = ByteBuffer.wrap(Files.readAllBytes(pcap)).order(ByteOrder.nativeOrder()).position(24);
            long total = START;
            int n = 0;
            for (; capture.hasRemaining(); n++) {
                long time = capture.getInt() * 1_000_000L + capture.getInt();
                byte[] frame = new byte[capture.getInt()];
                capture.getInt();
                capture.get(frame);
                String text = String.format("%d %d %016x%n", time, frame.length, fnv(frame, frame.length, START));
                byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
                total = fnv(bytes, bytes.length, total);
                if (words.contains("list")) {
                    out.append(name).append(" frame ").append(text);
                }
            }
            say("%s frames=%d hash=%016x", name, n, total);
        }
    }

    // ---- the file ----

    private List<Player> open() {
        return players.values().stream().filter(player -> player.engine != null).toList();
    }

    private void turnAll() { // until nothing happens
        boolean busy = true;
        while (busy) {
            busy = false;
            for (Player player : open()) {
                busy |= player.turn(0);
            }
        }
    }

    private long advance(long us) {
        List<Player> open = open();
        return open.isEmpty() ? 0 : open.get(0).engine.advance(us);
    }

    private void run(long us, long step, String line) {
        turnAll();
        while (us > 0) {
            advance(Math.min(step, us));
            us -= Math.min(step, us);
            turnAll();
        }
        say("> %s -> %d", line, advance(0));
    }

    private void play(String line) throws IOException {
        String[] w = line.split(" +");
        if (line.isBlank() || line.startsWith("#")) {
            return;
        }
        if (w[0].equals("engine")) {
            players.put(w[1], new Player(w, line));
        } else if (w[0].equals("run")) {
            long us = w.length > 1 ? Long.parseLong(w[1]) : 0;
            run(us, w.length > 2 ? Long.parseLong(w[2]) : us, line);
        } else {
            players.get(w[0]).step(Arrays.copyOfRange(w, 1, w.length), line);
        }
    }

    public static void main(String[] args) throws IOException {
        Vectors vectors = new Vectors(args[0]);
        for (String line : Files.readAllLines(Path.of(args[1]))) {
            vectors.play(line);
        }
        for (Player player : vectors.open()) {
            player.end("end");
        }
        System.out.print(vectors.out);
    }
}
