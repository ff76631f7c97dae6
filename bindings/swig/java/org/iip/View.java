package org.iip;

import java.nio.ByteBuffer;

/**
 * Received bytes where they lie, without a copy; read-only, from any thread.
 *
 * <p>{@link #close} gives the buffer back, which opens the peer's window; its bytes may be others' from then on. Whoever
 * forgets it has it done when neither the view nor any ByteBuffer made of it can be reached. The memory itself stays
 * mapped until then, whatever happens to the engine: {@link Engine#close} refuses while a view is not closed, and ends
 * only when the last ByteBuffer of a closed one was collected.
 */
public final class View implements AutoCloseable {
    private final ByteBuffer bytes;
    private final NativeView view;
    private boolean closed;

    private View(long ptr) {
        view = new NativeView(ptr, false);
        ByteBuffer root = view.direct();
        // Slices and duplicates refer to the root: as long as one of them can be reached, it can.
        Native.CLEANER.register(root, () -> IipJNI.delete_NativeView(ptr));
        bytes = root.asReadOnlyBuffer();
    }

    static View of(long ptr) {
        return ptr == 0 ? null : new View(ptr);
    }

    /** The bytes, a new read-only buffer each time. */
    public synchronized ByteBuffer bytes() {
        if (closed) {
            throw new IllegalStateException("the view is closed");
        }
        return bytes.duplicate();
    }

    /** Gives the buffer back, once; again it does nothing. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            view.release();
            java.lang.ref.Reference.reachabilityFence(bytes);
        }
    }
}
