import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.iip.View;

/**
 * Threads that keep received buffers for a while, in no order. What they keep is a view, which they close, or only a
 * slice of its bytes, which they let go and a Cleaner finds. Just before, they compare the bytes.
 */
final class Keepers {
    private static final int THREADS = 3;
    private static final int EACH = 1500; // buffers that a thread keeps at most
    private static final long POLL_MS = 2;

    /** `view` is null where a Cleaner is to give the buffer back. */
    private record Kept(View view, ByteBuffer bytes, long id, long offset) {}

    private final BlockingQueue<Kept> given = new LinkedBlockingQueue<>();
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicInteger kept = new AtomicInteger();
    private volatile boolean over;
    final AtomicInteger keptMax = new AtomicInteger();
    final AtomicLong bytes = new AtomicLong();
    final AtomicLong stale = new AtomicLong();
    final AtomicLong closed = new AtomicLong();
    final AtomicLong forgotten = new AtomicLong();

    Keepers(long seed) {
        for (int i = 0; i < THREADS; i++) {
            long mine = seed * THREADS + i;
            threads.add(new Thread(() -> keep(new Random(mine)), "keeper " + i));
        }
        threads.forEach(Thread::start);
    }

    /** From the receiver's thread. One buffer in eight is left to a Cleaner. */
    void give(View view, long id, long offset, Random random) {
        ByteBuffer bytes = view.bytes();
        boolean forget = random.nextInt(8) == 0;
        given.add(forget ? new Kept(null, bytes.slice(), id, offset) : new Kept(view, bytes, id, offset));
        keptMax.accumulateAndGet(kept.incrementAndGet(), Math::max);
    }


    private void letGo(Kept one) {
        bytes.addAndGet(one.bytes.remaining());
        if (!Content.is(one.bytes, one.id, one.offset)) {
            stale.incrementAndGet();
        }
        if (one.view == null) {
            forgotten.incrementAndGet();
        } else {
            one.view.close();
            closed.incrementAndGet();
        }
        kept.decrementAndGet();
    }

    private void keep(Random random) {
        List<Kept> mine = new ArrayList<>();
        try {
            while (!over || !mine.isEmpty() || !given.isEmpty()) {
                Kept one = given.poll(POLL_MS, TimeUnit.MILLISECONDS);
                if (one != null) {
                    mine.add(one);
                }
                // A few of them, anywhere; all the more, the more there are.
                int n = over ? mine.size() : random.nextInt(2 + mine.size() * 4 / EACH);
                for (; n > 0 && !mine.isEmpty(); n--) {
                    int i = random.nextInt(mine.size());
                    letGo(mine.get(i));
                    mine.set(i, mine.get(mine.size() - 1));
                    mine.remove(mine.size() - 1);
                }
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Lets all go. */
    void end() throws InterruptedException {
        over = true;
        for (Thread thread : threads) {
            thread.join();
        }
    }
}
