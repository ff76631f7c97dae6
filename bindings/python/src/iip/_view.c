/*
 * _view.c - bytes of the stack as a Python buffer, without a copy and without a dangling pointer.
 *
 * A View holds one reference of a buffer of libiip. Whoever looks at its bytes (memoryview, NumPy, re ...) is counted
 * as an export, in the View and in the Home of its engine. While there is one, the View cannot be released and the
 * engine cannot be closed: both say BufferError. Any thread may drop the last reference; libiip sends the buffer home.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <iip/iip.h>
#include <stdatomic.h>

/* One for each engine: how many exports there are, and whether its memory is gone. */
struct home {
    PyObject_HEAD
    atomic_long exports;
    atomic_int closed;
};

struct view {
    PyObject_HEAD
    struct home *home;
    void *bytes;
    Py_ssize_t len;
    uint64_t buf; /* 0: released, or a view of a whole region */
    int whole;
    atomic_long exports;
};

static PyTypeObject *home_type;

static PyObject *home_close(PyObject *self, PyObject *unused)
{
    struct home *home = (struct home *)self;
    long n = atomic_load(&home->exports);
    (void)unused;
    if (n)
        return PyErr_Format(PyExc_BufferError, "%ld memoryviews of the engine's memory are alive: release them first", n);
    atomic_store(&home->closed, 1);
    Py_RETURN_NONE;
}

/* The engine refused to close: its memory is there as before. */
static PyObject *home_reopen(PyObject *self, PyObject *unused)
{
    (void)unused;
    atomic_store(&((struct home *)self)->closed, 0);
    Py_RETURN_NONE;
}

static void free_instance(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyObject *view_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    struct view *view;
    PyObject *home;
    unsigned long long address, buf;
    Py_ssize_t len;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "O!KnK", home_type, &home, &address, &len, &buf))
        return NULL;
    view = (struct view *)PyType_GenericAlloc(type, 0);
    if (!view)
        return NULL;
    view->home = (struct home *)Py_NewRef(home);
    view->bytes = (void *)(uintptr_t)address;
    view->len = len;
    view->buf = buf;
    view->whole = !buf;
    return (PyObject *)view;
}

static void view_dealloc(PyObject *self)
{
    struct view *view = (struct view *)self;
    if (view->buf)
        iip_buf_release(view->buf);
    Py_DECREF(view->home);
    free_instance(self);
}

static int view_getbuffer(PyObject *self, Py_buffer *out, int flags)
{
    struct view *view = (struct view *)self;
    if ((!view->buf && !view->whole) || atomic_load(&view->home->closed)) {
        out->obj = NULL;
        PyErr_SetString(PyExc_ValueError, view->home->closed ? "the engine is closed" : "the view is released");
        return -1;
    }
    if (PyBuffer_FillInfo(out, self, view->bytes, view->len, 1, flags) < 0)
        return -1;
    atomic_fetch_add(&view->exports, 1);
    atomic_fetch_add(&view->home->exports, 1);
    return 0;
}

static void view_releasebuffer(PyObject *self, Py_buffer *buffer)
{
    struct view *view = (struct view *)self;
    (void)buffer;
    atomic_fetch_sub(&view->exports, 1);
    atomic_fetch_sub(&view->home->exports, 1);
}

static PyObject *view_give_back(PyObject *self, PyObject *unused)
{
    struct view *view = (struct view *)self;
    uint64_t buf = view->buf;
    (void)unused;
    if (atomic_load(&view->exports))
        return PyErr_Format(PyExc_BufferError, "%ld memoryviews of this view are alive: release them first",
                            atomic_load(&view->exports));
    view->buf = 0;
    view->whole = 0;
    return PyLong_FromLong(buf ? iip_buf_release(buf) : IIP_OK);
}

static Py_ssize_t view_length(PyObject *self)
{
    return ((struct view *)self)->len;
}

static PyMethodDef home_methods[] = {{"close", home_close, METH_NOARGS, "BufferError while memoryviews are alive."},
                                     {"reopen", home_reopen, METH_NOARGS, "Undoes close."}, {0}};
static PyMethodDef view_methods[] = {{"give_back", view_give_back, METH_NOARGS, "Releases the buffer; BufferError while memoryviews are alive."}, {0}};
static PyType_Slot home_slots[] = {{Py_tp_methods, home_methods}, {Py_tp_new, PyType_GenericNew}, {Py_tp_dealloc, free_instance}, {0}};
static PyType_Slot view_slots[] = {{Py_tp_methods, view_methods}, {Py_tp_new, view_new}, {Py_tp_dealloc, view_dealloc},
                                   {Py_sq_length, view_length}, {Py_bf_getbuffer, view_getbuffer}, {Py_bf_releasebuffer, view_releasebuffer}, {0}};
static PyType_Spec home_spec = {"iip._view.Home", sizeof(struct home), 0, Py_TPFLAGS_DEFAULT, home_slots};
static PyType_Spec view_spec = {"iip._view.RawView", sizeof(struct view), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, view_slots};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_view", "Exporter of the stack's bytes.", -1};

PyMODINIT_FUNC PyInit__view(void)
{
    PyObject *m = PyModule_Create(&module);
    PyObject *view = PyType_FromSpec(&view_spec);
    home_type = (PyTypeObject *)PyType_FromSpec(&home_spec);
    if (!m || !view || !home_type || PyModule_AddObjectRef(m, "Home", (PyObject *)home_type) < 0 || PyModule_AddObjectRef(m, "RawView", view) < 0)
        return NULL;
    Py_DECREF(view);
    return m;
}
