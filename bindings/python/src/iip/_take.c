/*
 * _take.c - what arrived in a turn, as bytes of Python's own: where they are few, a copy costs less than a view.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <iip/iip.h>

#include "_take.h"

struct taking {
    const struct iip_event *events;
    PyObject *takers;
    uint64_t *releases;
    Py_ssize_t n, release_n, release_cap;
};

/* (src, bytes), or (index, None) of an event that is nothing to copy. */
static PyObject *take_one(struct taking *t, Py_ssize_t i)
{
    const struct iip_event *event = t->events + i;
    PyObject *src;
    int wanted = event->type == IIP_EVENT_DATA && t->release_n < t->release_cap;
    if (!wanted)
        return Py_BuildValue("nO", i, Py_None);
    src = PyLong_FromUnsignedLongLong(event->src);
    if (!src || (wanted = PyDict_Contains(t->takers, src)) < 0) {
        Py_XDECREF(src);
        return NULL;
    }
    if (!wanted) {
        Py_DECREF(src);
        return Py_BuildValue("nO", i, Py_None);
    }
    t->releases[t->release_n++] = event->buf;
    return Py_BuildValue("Ny#", src, (const char *)(uintptr_t)event->addr, (Py_ssize_t)event->len);
}

static PyObject *take_list(struct taking *t)
{
    PyObject *list = PyList_New(t->n);
    for (Py_ssize_t i = 0; list && i < t->n; i++) {
        PyObject *pair = take_one(t, i);
        if (pair) {
            PyList_SetItem(list, i, pair);
        } else {
            Py_CLEAR(list);
        }
    }
    return list;
}

static PyObject *take_all(PyObject *module, PyObject *args)
{
    struct taking t = {0};
    unsigned long long events, releases;
    PyObject *list;
    (void)module;
    if (!PyArg_ParseTuple(args, "KnO!Knn", &events, &t.n, &PyDict_Type, &t.takers, &releases, &t.release_n, &t.release_cap))
        return NULL;
    t.events = (const struct iip_event *)(uintptr_t)events;
    t.releases = (uint64_t *)(uintptr_t)releases;
    list = take_list(&t);
    return list ? Py_BuildValue("Nn", list, t.release_n) : NULL;
}

PyMethodDef iip_take_methods[] = {{"take_all", take_all, METH_VARARGS, "What each event of a turn brought; see _view.pyi."}, {0}};
