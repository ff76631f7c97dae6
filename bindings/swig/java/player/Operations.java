import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.iip.Iip;
import org.iip.Loop;
import org.iip.Op;

/** The operations of one engine: queued for its next turn, and told when that is over. */
final class Operations {
    private record Pending(String line, Verb verb, World.Thing about, long len) {}

    /** The arguments of Loop.queue. */
    private record Work(Op op, String local, String peer, byte[] bytes) {}

    private final World world;
    private final Player at;
    private final Loop loop;
    private List<Pending> pending = new ArrayList<>();

    Operations(World world, Player at, Loop loop) {
        this.world = world;
        this.at = at;
        this.loop = loop;
    }

    private Work fill(Op op, String args, String[] words, World.Thing about) {
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
                    op.setBuf(world.held(word).buf());
                    op.setLen(world.held(word).len());
                }
                case 'R' -> op.setBuf(world.things.get(word).handle);
                case 'O' -> op.setOffset(World.constant("OPT_" + word));
                default -> op.setFlags(Iip.OP_SHUT);
            }
        }
        if (op.getCode() == Iip.OP_SEND_COPY) {
            bytes = Bytes.pattern(about.tx, op.getLen());
        } else if (op.getCode() == Iip.OP_UDP_SEND_COPY) {
            bytes = Bytes.pattern(0, op.getLen());
        }
        return new Work(op, ends[0], ends[1], bytes);
    }

    private Work work(String[] w, Verb verb, World.Thing about) {
        Op op = new Op();
        op.setCode(verb.code());
        if (verb.makes()) {
            op.setUser(world.all.size());
        } else {
            op.setObj(about.handle);
        }
        Work work = fill(op, verb.args(), Arrays.copyOfRange(w, 2, w.length), about);
        if (w[0].equals("sendbuf")) {
            op.setBuf(loop.buffer(Bytes.pattern(about.tx, op.getLen())));
        }
        return work;
    }

    private World.Thing subject(String[] w, Verb verb) {
        return verb.makes() ? world.add(at, w[1]) : world.things.get(w[1]);
    }

    void operation(String[] w, String line) {
        Verb verb = Verb.VERBS.get(w[0]);
        World.Thing about = subject(w, verb);
        Work work = work(w, verb, about);
        loop.queue(work.op, work.local, work.peer, work.bytes);
        pending.add(new Pending(line, verb, about, work.op.getLen()));
    }

    void post(String[] w, String line) {
        Verb verb = Verb.VERBS.get(w[0]);
        Work work = work(w, verb, subject(w, verb));
        work.op.setFlags(Iip.OP_REPLY);
        world.say("> %s -> %s", line, World.statusOf(() -> loop.postWith(work.op, work.local, work.peer, work.bytes)));
    }

    private void tell(int i, Pending p) {
        Op done = loop.done(i);
        long result = done.getOut();
        String tail = result != 0 && !p.verb.makes() ? " " + Long.toUnsignedString(result) : "";
        world.say("> %s -> %s%s", p.line, Iip.statusName(done.getStatus()), tail);
        if (p.verb.makes()) {
            world.know(p.about, result);
        }
        if (!Verb.SENDS.contains(p.verb.code())) {
            return;
        }
        p.about.tx += (int) result;
        p.about.blocked |= result < p.len;
        if (done.getStatus() < 0 && done.getStatus() != Iip.E_AGAIN) {
            p.about.goal = 0;
        }
    }

    /** How the operations of the turn that is over went; whether there were any. */
    boolean tell() {
        List<Pending> asked = pending;
        pending = new ArrayList<>();
        for (int i = 0; i < asked.size(); i++) {
            tell(i, asked.get(i));
        }
        return !asked.isEmpty();
    }
}
