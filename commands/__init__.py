"""What was asked, and how is it carried out?"""
