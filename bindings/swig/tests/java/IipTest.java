import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** Runs the tests, or those whose name has the argument in it; exit code 1 when one fails. */
final class IipTest {
    private static final List<Class<?>> ALL =
        List.of(ConnTest.class, BufferTest.class, LifeTest.class, QueueTest.class);

    private IipTest() {}

    private static boolean isTest(Method method) {
        return !method.isSynthetic() && method.getParameterCount() == 0 && method.getReturnType() == void.class
            && !Modifier.isPrivate(method.getModifiers());
    }

    /** Whether it went well. */
    private static boolean run(Method method) {
        try {
            method.invoke(null);
            System.out.println(method.getName() + ": ok");
            return true;
        } catch (ReflectiveOperationException e) {
            System.out.println(method.getName() + ": FAILED");
            e.getCause().printStackTrace(System.out);
            return false;
        }
    }

    public static void main(String[] args) {
        List<Method> tests = ALL.stream().flatMap(test -> Arrays.stream(test.getDeclaredMethods()))
            .filter(IipTest::isTest).filter(test -> args.length == 0 || test.getName().contains(args[0]))
            .sorted(Comparator.comparing(Method::getName)).toList();
        long failed = tests.stream().filter(test -> !run(test)).count();
        System.out.printf("%d passed, %d failed%n", tests.size() - failed, failed);
        System.exit(failed == 0 && !tests.isEmpty() ? 0 : 1);
    }
}
