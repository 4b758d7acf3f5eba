"""face_recognition (dlib) as its documentation shows it: reads a path a line, writes the faces a line. One thread."""

import importlib.metadata
import json
import sys

import face_recognition


def main():
    version = importlib.metadata.version("face_recognition")
    dlib = importlib.metadata.version("dlib-bin")
    print(json.dumps({"ready": f"face_recognition {version}, dlib {dlib} (HOG detector)"}), flush=True)
    for line in sys.stdin:
        image = face_recognition.load_image_file(line.strip())
        boxes = face_recognition.face_locations(image)
        face_recognition.face_encodings(image, boxes)
        rects = [[left, top, right - left, bottom - top] for top, right, bottom, left in boxes]
        print(json.dumps({"faces": rects}), flush=True)


main()
