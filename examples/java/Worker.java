import org.iip.Event;

/** What an example does on one loop, in its thread. */
interface Worker {
    void event(Event event);

    /** A turn has ended; its events come next. */
    default void before() {}

    /** Its events were looked at. */
    default void turned() {}

    /** Whether there is something to do without an event: the next turn does not wait. */
    default boolean busy() {
        return false;
    }
}
