"""What `train_demo_model.py` is made of: pictures, texts, network, training, evaluation."""
