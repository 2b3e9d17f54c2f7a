# A composite device on the guest's own USB device controller (dummy_hcd), through configfs
# (Documentation/usb/gadget_configfs.rst).
#   gadget.sh plug NAME VENDOR PRODUCT SERIAL PRODUCT-STRING FUNCTION...   prints the name of the device controller used
#   gadget.sh unplug NAME
# FUNCTION: keyboard, mouse, disk (8 MiB), or any that the kernel has (ecm, rndis, acm, uac2, midi, ...).
set -eu
gadgets=/sys/kernel/config/usb_gadget
verb=$1 name=$2
gadget=$gadgets/$name

if [ "$verb" = unplug ]; then
	echo "" >"$gadget/UDC" || true
	for link in "$gadget"/configs/c.1/*; do if [ -L "$link" ]; then rm "$link"; fi; done
	rmdir "$gadget/configs/c.1/strings/0x409" "$gadget/configs/c.1"
	rmdir "$gadget"/functions/*
	rmdir "$gadget/strings/0x409" "$gadget"
	rm -f "/run/lab/$name.img"
	exit
fi

vendor=$3 product=$4 serial=$5 title=$6
shift 6
grep -q ' /sys/kernel/config ' /proc/mounts || { modprobe configfs; mount -t configfs configfs /sys/kernel/config; }
modprobe libcomposite
[ -d /sys/module/dummy_hcd ] || modprobe dummy_hcd is_super_speed=0 num=4
udc=""
for candidate in /sys/class/udc/*; do
	[ -e "$candidate" ] && ! grep -qs "^${candidate##*/}$" "$gadgets"/*/UDC && udc=${candidate##*/} && break
done
[ -n "$udc" ] || { echo "no free device controller" >&2; exit 1; }
mkdir -p "$gadget/strings/0x409" "$gadget/configs/c.1/strings/0x409"
echo "$vendor" >"$gadget/idVendor"
echo "$product" >"$gadget/idProduct"
echo "$serial" >"$gadget/strings/0x409/serialnumber"
echo Lab >"$gadget/strings/0x409/manufacturer"
printf %s "$title" >"$gadget/strings/0x409/product"
echo lab >"$gadget/configs/c.1/strings/0x409/configuration"
number=0
# hid FOLDER PROTOCOL REPORT-LENGTH REPORT-DESCRIPTOR
hid() {
	mkdir "$1"
	echo "$2" >"$1/protocol"
	echo 1 >"$1/subclass"
	echo "$3" >"$1/report_length"
	printf %b "$4" >"$1/report_desc"
}
for function in "$@"; do
	case $function in
	keyboard)
		# Modifiers, a reserved byte, six keys: HID 1.11, appendix B.1 without the LEDs.
		folder=$gadget/functions/hid.f$number
		hid "$folder" 1 8 '\0005\0001\0011\0006\0241\0001\0005\0007\0031\0340\0051\0347\0025\0000\0045\0001\0165\0001\0225\0010\0201\0002\0225\0001\0165\0010\0201\0001\0225\0006\0165\0010\0025\0000\0045\0145\0031\0000\0051\0145\0201\0000\0300'
		;;
	mouse)
		# Three buttons, X and Y: HID 1.11, appendix B.2.
		folder=$gadget/functions/hid.f$number
		hid "$folder" 2 3 '\0005\0001\0011\0002\0241\0001\0011\0001\0241\0000\0005\0011\0031\0001\0051\0003\0025\0000\0045\0001\0225\0003\0165\0001\0201\0002\0225\0001\0165\0005\0201\0001\0005\0001\0011\0060\0011\0061\0025\0201\0045\0177\0165\0010\0225\0002\0201\0006\0300\0300'
		;;
	disk)
		folder=$gadget/functions/mass_storage.f$number
		truncate -s 8M "/run/lab/$name.img"
		mkdir "$folder"
		echo "/run/lab/$name.img" >"$folder/lun.0/file"
		;;
	*)
		folder=$gadget/functions/$function.f$number
		mkdir "$folder"
		;;
	esac
	ln -s "$folder" "$gadget/configs/c.1/"
	number=$((number + 1))
done
echo "$udc" >"$gadget/UDC"
echo "$udc"
