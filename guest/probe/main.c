// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probe makes DMA API calls on request, as a driver would, for every edu and
 * ivshmem PCI device and every "restricted-dma-harness,probe" platform device. A batch
 * is written to /dev/probe, and the replies to it are read from there.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "probe.h"

/* One opener. What its batches make belongs to the module, not to it. */
struct session {
	struct mutex lock;	/* one batch at a time */
	struct replies replies;
};

static int session_open(struct inode *inode, struct file *file)
{
	struct session *session = kzalloc(sizeof(*session), GFP_KERNEL);

	if (!session)
		return -ENOMEM;
	mutex_init(&session->lock);
	file->private_data = session;
	return 0;
}

static int session_release(struct inode *inode, struct file *file)
{
	struct session *session = file->private_data;

	kvfree(session->replies.data);
	kfree(session);
	return 0;
}

static ssize_t session_write(struct file *file, const char __user *from, size_t count,
			     loff_t *position)
{
	struct session *session = file->private_data;
	void *batch;
	int error;

	if (count > PROBE_BATCH_MAX)
		return -EMSGSIZE;
	batch = vmemdup_user(from, count);
	if (IS_ERR(batch))
		return PTR_ERR(batch);
	mutex_lock(&session->lock);
	session->replies.used = 0;
	error = batch_run(batch, count, &session->replies);
	*position = 0;
	mutex_unlock(&session->lock);
	kvfree(batch);
	return error ?: count;
}

static ssize_t session_read(struct file *file, char __user *to, size_t count, loff_t *position)
{
	struct session *session = file->private_data;
	ssize_t done;

	mutex_lock(&session->lock);
	done = simple_read_from_buffer(to, count, position, session->replies.data,
				       session->replies.used);
	mutex_unlock(&session->lock);
	return done;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = session_open,
	.release = session_release,
	.write = session_write,
	.read = session_read,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "probe",
	.fops = &operations,
	.mode = 0600,
};

static int __init probe_init(void)
{
	int error;

	contexts_init();
	error = drivers_init();
	if (error)
		return error;
	error = misc_register(&device);
	if (error)
		drivers_exit();
	return error;
}

static void __exit probe_exit(void)
{
	misc_deregister(&device);
	targets_enter(true);
	contexts_reset();
	targets_leave(true);
	drivers_exit();
	held_exit();
}

module_init(probe_init);
module_exit(probe_exit);
MODULE_DESCRIPTION("DMA API calls on request, for the restricted DMA harness");
MODULE_LICENSE("GPL");
