/* java.i - Java 17: handles and counts are long, received bytes byte[] or a read-only direct ByteBuffer, errors
   IipException. Native memory is freed by a Cleaner: nothing has a finalizer. */
%{
#include <stdlib.h>
#include <string.h>

/* Throws org.iip.IipException(status, name, errno, text); what comes after it in a wrapper returns zeros. */
static void iip_throw(JNIEnv *env)
{
    int32_t status = flat_error_status();
    jclass class = (*env)->FindClass(env, "org/iip/IipException");
    jmethodID make = class ? (*env)->GetMethodID(env, class, "<init>", "(ILjava/lang/String;ILjava/lang/String;)V") : NULL;
    jstring name = make ? (*env)->NewStringUTF(env, iip_status_name(status)) : NULL;
    jstring text = name ? (*env)->NewStringUTF(env, flat_error_text()) : NULL;
    jobject error = text ? (*env)->NewObject(env, class, make, (jint)status, name, (jint)iip_status_errno(status), text) : NULL;

    if (error)
        (*env)->Throw(env, error);
    flat_error_clear();
}

static int iip_in_range(JNIEnv *env, jlong value, jlong low, jlong high)
{
    if (value >= low && value <= high)
        return 1;
    SWIG_JavaThrowException(env, SWIG_JavaIllegalArgumentException, "the number is out of range");
    return 0;
}

static jbyteArray iip_java_bytes(JNIEnv *env, struct flat_bytes *bytes)
{
    jbyteArray array = NULL;
    if (bytes->len < 0) {
        iip_note(bytes->len);
        iip_throw(env);
    } else {
        array = (*env)->NewByteArray(env, bytes->len);
        if (array)
            (*env)->SetByteArrayRegion(env, array, 0, bytes->len, (const jbyte *)bytes->at);
    }
    free(bytes->at);
    return array;
}

#define IIP_RAISE iip_throw(jenv)
%}

%javaconst(1);

/* uint64_t: handles, cookies and counters; as a long, not a BigInteger. */
%apply long long { uint64_t };
%typemap(in) uint32_t %{
    if (!iip_in_range(jenv, $input, 0, UINT32_MAX)) return $null;
    $1 = (uint32_t)$input;
%}
%typemap(in) uint16_t %{
    if (!iip_in_range(jenv, $input, 0, UINT16_MAX)) return $null;
    $1 = (uint16_t)$input;
%}

/* Bytes in: they are copied before the call returns. */
%typemap(jni) (const void *bytes, uint32_t len) "jbyteArray"
%typemap(jtype) (const void *bytes, uint32_t len) "byte[]"
%typemap(jstype) (const void *bytes, uint32_t len) "byte[]"
%typemap(javain) (const void *bytes, uint32_t len) "$javainput"
%typemap(in) (const void *bytes, uint32_t len) %{
    if (!$input) {
        SWIG_JavaThrowException(jenv, SWIG_JavaNullPointerException, "no bytes");
        return $null;
    }
    $1 = (*jenv)->GetByteArrayElements(jenv, $input, NULL);
    $2 = (uint32_t)(*jenv)->GetArrayLength(jenv, $input);
%}
%typemap(freearg) (const void *bytes, uint32_t len) %{
    (*jenv)->ReleaseByteArrayElements(jenv, $input, (jbyte *)$1, JNI_ABORT);
%}

/* Bytes out, by copy. */
%typemap(jni) struct flat_bytes "jbyteArray"
%typemap(jtype) struct flat_bytes "byte[]"
%typemap(jstype) struct flat_bytes "byte[]"
%typemap(javaout) struct flat_bytes { return $jnicall; }
%typemap(out) struct flat_bytes %{ $result = iip_java_bytes(jenv, &$1); %}

/* Bytes where they lie: View.java says how long. */
#define IIP_VIEWS struct flat_view *
%{ #define IIP_VIEW_OF(view) (view) %}
%typemap(jni) struct flat_view *direct "jobject"
%typemap(jtype) struct flat_view *direct "java.nio.ByteBuffer"
%typemap(jstype) struct flat_view *direct "java.nio.ByteBuffer"
%typemap(javaout) struct flat_view *direct { return $jnicall; }
%typemap(out) struct flat_view *direct %{
    $result = $1 ? (*jenv)->NewDirectByteBuffer(jenv, (void *)(uintptr_t)$1->addr, (jlong)$1->len) : NULL;
%}
%rename(NativeView) flat_view;
%typemap(javaclassmodifiers) struct flat_view "final class"
%typemap(jstype) struct flat_view *flat_event::view "View"
%typemap(javaout) struct flat_view *flat_event::view { return View.of($jnicall); }

/* ---- proxies: freed by a Cleaner once, never by the user ---- */
%typemap(javaclassmodifiers) SWIGTYPE "public final class"
%typemap(javafinalize) SWIGTYPE ""
%typemap(javaconstruct) SWIGTYPE { this($imcall, true); }
%typemap(javadestruct, methodname="free", methodmodifiers="") SWIGTYPE {
    cleanable.clean();
  }
%typemap(javabody) SWIGTYPE %{
  private final long swigCPtr;
  private final java.lang.ref.Cleaner.Cleanable cleanable;

  $javaclassname(long ptr, boolean own) {
    swigCPtr = ptr;
    cleanable = own ? Native.CLEANER.register(this, () -> $imclassname.delete_$javaclassname(ptr)) : () -> {};
  }

  static long getCPtr($javaclassname obj) {
    return obj == null ? 0 : obj.swigCPtr;
  }
%}
%typemap(jstype) int32_t flat_engine::close "void"
%typemap(javaout) int32_t flat_engine::close { $jnicall; }
%typemap(javainterfaces) struct flat_engine "AutoCloseable"
%typemap(javainterfaces) struct flat_events "Iterable<Event>"
%typemap(javacode) struct flat_events %{
  @Override
  public java.util.Iterator<Event> iterator() {
    return new java.util.Iterator<Event>() {
      private long next = 0;

      @Override
      public boolean hasNext() {
        return next < count();
      }

      @Override
      public Event next() {
        if (!hasNext()) throw new java.util.NoSuchElementException();
        return get(next++);
      }
    };
  }
%}

%pragma(java) jniclasscode=%{
  static {
    Native.load();
    String why = check();
    if (why != null) throw new UnsatisfiedLinkError(why);
  }

  static native String check();
%}
%wrapper %{
SWIGEXPORT jstring JNICALL Java_org_iip_IipJNI_check(JNIEnv *env, jclass class)
{
    const char *why = flat_check();
    (void)class;
    return why ? (*env)->NewStringUTF(env, why) : NULL;
}
%}
